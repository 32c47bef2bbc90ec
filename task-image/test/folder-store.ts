import { existsSync, mkdirSync, readFileSync, statSync, unlinkSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import type { Move, Store } from "../daemon/checkpoint/store.ts"

/** A store of checkpoints in a folder, which counts. It holds its writer to what the real one does: nothing is written twice. */
export const createFolderStore = (folder: string) => {
  const counted = { puts: 0, bytes: 0, commits: 0 }
  /** Objects of the chain, in order. */
  const chain = new Map<string, number>()
  const pathOf = (name: string) => join(folder, name)
  const store: Store = {
    put: async (objects) => {
      for (const { name, bytes } of objects) {
        mkdirSync(dirname(pathOf(name)), { recursive: true })
        writeFileSync(pathOf(name), bytes, { flag: "wx" })
        counted.puts++
        counted.bytes += bytes.length
      }
    },
    get: async (names) => names.map((name) => readFileSync(pathOf(name))),
    commit: async (move) => {
      carryOut(move)
      counted.commits++
    },
  }
  const segments = () => [...chain.keys()].filter((name) => /\/s\d+$/.test(name))
  const carryOut = ({ previous, segment, added, released }: Move) => {
    if (previous !== (segments().at(-1) ?? null)) throw new Error(`The head is not ${previous}`)
    for (const name of released) {
      if (!chain.delete(name)) throw new Error(`${name} is not in the chain`)
      unlinkSync(pathOf(name))
    }
    for (const { name, bytes } of added) {
      if (!existsSync(pathOf(name)) || statSync(pathOf(name)).size !== bytes) throw new Error(`${name} is not there as announced`)
      chain.set(name, bytes)
    }
    if (segments().at(-1) !== segment) throw new Error(`${segment} is not the last segment`)
  }
  /** What was counted since it was last asked for. */
  const take = () => {
    const taken = { ...counted }
    Object.assign(counted, { puts: 0, bytes: 0, commits: 0 })
    return taken
  }
  return {
    ...store,
    take,
    segments,
    objects: () => new Map(chain),
    liveBytes: () => [...chain.values()].reduce((a, b) => a + b, 0),
  }
}

export type FolderStore = ReturnType<typeof createFolderStore>
