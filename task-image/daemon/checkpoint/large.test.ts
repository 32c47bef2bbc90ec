import { randomBytes } from "node:crypto"
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { createFolderStore } from "../../test/folder-store.ts"
import { emptyChain } from "./chain.ts"
import { createCheckpoints } from "./checkpoints.ts"
import { collect } from "./collect.ts"
import { strideBytes } from "./pace.ts"
import { createPacker } from "./packs.ts"

const mb = 1024 ** 2

const newFolder = () => {
  const folder = mkdtempSync(join(tmpdir(), "dormouse-large-"))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return folder
}

/** Counts how often the event loop comes around. */
const countTurns = () => {
  let turns = 0
  let next = setImmediate(function turn() {
    turns++
    next = setImmediate(turn)
  })
  onTestFinished(() => clearImmediate(next))
  return () => turns
}

/** Makes a file of zeros without a byte on the disk, but for some letters every so often. */
const makeSparse = (path: string, size: number, every: number) => {
  const file = openSync(path, "w")
  ftruncateSync(file, size)
  for (let at = every; at < size; at += every) writeSync(file, "island", at)
  closeSync(file)
}

test("of a large file a few packs at a time are in memory, and everything else gets its turn meanwhile", async () => {
  const path = newFolder()
  writeFileSync(join(path, "large"), randomBytes(96 * mb))
  const turns = countTurns()
  const turnsAt: number[] = []
  let [taken, inMemory] = [0, 0]
  const packer = createPacker({
    nextName: () => {
      turnsAt.push(turns())
      inMemory = Math.max(inMemory, turnsAt.length - taken)
      return `run_1/p${turnsAt.length}`
    },
    onPack: async () => void taken++,
  })
  const roots = [{ name: "workspace", path }]
  const options = { roots, packer, leave: () => false, user: undefined, stamps: new Map(), retired: new Set<string>() }
  await collect({ ...options, chain: emptyChain(), onLeftOut: () => undefined })
  await packer.finish()

  expect(turnsAt.length).toBeGreaterThanOrEqual(12)
  expect(inMemory).toBeLessThanOrEqual(5)
  expect(turnsAt.at(-1)! - turnsAt[0]!).toBeGreaterThanOrEqual(turnsAt.length)
})

test("a sparse file comes back as it was, takes no more of the disk than before, and lets everything else have its turn", async () => {
  const folder = newFolder()
  const size = 128 * mb + 1
  mkdirSync(join(folder, "workspace"))
  makeSparse(join(folder, "workspace/image"), size, 48 * mb)
  makeSparse(join(folder, "workspace/small"), 300_000, 100_000)
  const turns = countTurns()
  const container = (runId: string, name: string) =>
    createCheckpoints({ runId, roots: [{ name: "workspace", path: join(folder, name) }], store })
  const store = createFolderStore(newFolder())
  await container("run_1", "workspace").save()
  const before = turns()
  await container("run_2", "restored").restore(store.segments())

  expect(turns() - before).toBeGreaterThanOrEqual(size / 4 / strideBytes)
  expect(store.liveBytes()).toBeLessThan(20_000)
  for (const name of ["image", "small"])
    expect(isSame(join(folder, "workspace", name), join(folder, "restored", name))).toBe(true)
  expect(statSync(join(folder, "restored/image")).blocks * 512).toBeLessThan(2 * mb)
})

const isSame = (one: string, other: string) => readFileSync(one).equals(readFileSync(other))
