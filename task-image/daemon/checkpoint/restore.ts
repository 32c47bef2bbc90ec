import { type Chain, check } from "./chain.ts"
import { type Root, type Stamp, stampOf } from "./collect.ts"
import type { Entry } from "./manifest.ts"
import { createPace, strideBytes } from "./pace.ts"
import { openPack } from "./packs.ts"
import { createPlace, type Part, type User } from "./place.ts"
import type { Store } from "./store.ts"

type Options = { chain: Chain; roots: Root[]; store: Store; user: User | undefined }

/**
 * Makes the folders what the chain says, and answers how their files look then. What was in them before is removed. Throws `Damaged`
 * for a chain that no task can have made, before it touches anything.
 */
export const restore = async ({ chain, roots, store, user }: Options): Promise<Map<string, Stamp>> => {
  const names = roots.map(({ name }) => name)
  check(chain, names)
  const stamps = new Map<string, Stamp>()
  const places = new Map(roots.map(({ name, path }) => [name, createPlace(path, user)]))
  /** The place of a path, and the path below it. */
  const find = (path: string) => {
    const slash = path.indexOf("/")
    return { place: places.get(path.slice(0, slash))!, below: path.slice(slash + 1) }
  }
  const write = (part: Part, pack: Buffer) => {
    const { place, below } = find(part.path)
    const stat = place.write({ ...part, path: below }, pack)
    if (stat) stamps.set(part.path, stampOf(stat))
  }
  try {
    const folders = foldersOf(chain)
    for (const [path] of folders) find(path).place.makeFolder(find(path).below)
    const parts = partsByPack(chain)
    for (const part of parts.get("") ?? []) write(part, Buffer.alloc(0))
    parts.delete("")
    const pace = createPace()
    for await (const { name, bytes } of openPacks(store, chain, [...parts.keys()])) {
      for (const part of parts.get(name)!) {
        write(part, bytes)
        await pace(lengthOf(part))
      }
    }
    for (const [path, entry] of chain.tree) if (entry.kind === "link") find(path).place.makeLink(find(path).below, entry.target)
    for (const [path, { mode }] of folders.reverse()) find(path).place.finishFolder(find(path).below, mode)
    return stamps
  } finally {
    for (const place of places.values()) place.leave()
  }
}

const lengthOf = ({ pieces }: Part) => pieces.reduce((sum, { length }) => sum + length, 0)

type Folder = Extract<Entry, { kind: "folder" }>

/** Every folder after the one that it is in. */
const foldersOf = ({ tree }: Chain) =>
  [...tree]
    .filter((pair): pair is [string, Folder] => pair[1].kind === "folder")
    .map(([path, entry]) => ({ key: path.split("/"), pair: [path, entry] as [string, Folder] }))
    .sort((a, b) => compare(a.key, b.key))
    .map(({ pair }) => pair)

const compare = (a: string[], b: string[]) => {
  for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) return a[i]! < b[i]! ? -1 : 1
  return a.length - b.length
}

/** What is to be written from each pack. Empty files are under the empty name. */
const partsByPack = ({ tree }: Chain): Map<string, Part[]> => {
  const byPack = new Map<string, Part[]>()
  for (const [path, entry] of tree) {
    if (entry.kind !== "file") continue
    const parts = new Map<string, Part["pieces"]>()
    if (entry.chunks.length === 0) parts.set("", [])
    let to = 0
    for (const { pack, offset, length } of entry.chunks) {
      const pieces = parts.get(pack) ?? []
      parts.set(pack, pieces)
      const last = pieces.at(-1)
      if (last && last.from + last.length === offset && last.to + last.length === to) last.length += length
      else pieces.push({ from: offset, to, length })
      to += length
    }
    for (const [pack, pieces] of parts) {
      const list = byPack.get(pack) ?? []
      byPack.set(pack, list)
      for (const some of inStrides(pieces)) list.push({ path, entry, pieces: some, isFirst: false, isLast: false })
    }
  }
  return markEnds(byPack)
}

/** A little of a pack can be all of a large file: a hole, for one, is one chunk again and again. */
const inStrides = (pieces: Part["pieces"]): Part["pieces"][] => {
  const strides: Part["pieces"][] = [[]]
  let bytes = 0
  for (const piece of pieces) {
    if (bytes >= strideBytes) {
      strides.push([])
      bytes = 0
    }
    strides.at(-1)!.push(piece)
    bytes += piece.length
  }
  return strides
}

/** Packs are opened in the order of the map, and so are a file's parts written. */
const markEnds = (byPack: Map<string, Part[]>) => {
  const last = new Map<string, Part>()
  for (const parts of byPack.values()) {
    for (const part of parts) {
      part.isFirst = !last.has(part.path)
      last.set(part.path, part)
    }
  }
  for (const part of last.values()) part.isLast = true
  return byPack
}

/** Packs that are fetched together; while they are written, the next are on their way. */
const group = 4

async function* openPacks(store: Store, { packs }: Chain, names: string[]) {
  const fetch = async (some: string[]) => {
    const stored = await store.get(some)
    return Promise.all(some.map(async (name, i) => ({ name, bytes: await openPack(stored[i]!, packs.get(name)!) })))
  }
  const groups = Array.from({ length: Math.ceil(names.length / group) }, (_, i) => names.slice(i * group, i * group + group))
  let next = groups[0] && fetch(groups[0])
  for (let i = 0; next; i++) {
    const ready = await next
    const following = groups[i + 1]
    next = following && fetch(following)
    // Whether it fails is heard when its turn comes.
    next?.catch(() => undefined)
    yield* ready
  }
}
