import { closeSync, constants, fchmodSync, fstatSync, openSync, type Stats } from "node:fs"
import { bytesMax, type Chain, entriesMax } from "./chain.ts"
import { closeFolder, type Folder, openFolder } from "./folder.ts"
import type { Chunk, Entry, Tree } from "./manifest.ts"
import { createPace } from "./pace.ts"
import { chunkHash, type createPacker } from "./packs.ts"
import type { User } from "./place.ts"
import { chunksOf } from "./split.ts"
import { type Found, ifThere, isForeign, type Leave, walk } from "./walk.ts"

/**
 * A folder that is kept, and the name by which its paths begin. Where `contents` is there it says what the folder holds, text by name:
 * what is to be saved needs no room on the disk then, and the folder is not looked at.
 */
export type Root = { name: string; path: string; contents?: () => Record<string, string> }

/** By these a file is known not to have been touched since it was read. */
export type Stamp = Pick<Stats, "ino" | "size" | "mtimeMs" | "ctimeMs">

export const stampOf = ({ ino, size, mtimeMs, ctimeMs }: Stats): Stamp => ({ ino, size, mtimeMs, ctimeMs })

type Options = {
  roots: Root[]
  leave: Leave
  user: User | undefined
  chain: Chain
  stamps: Map<string, Stamp>
  /** Packs whose contents must be found elsewhere from now on. */
  retired: Set<string>
  packer: ReturnType<typeof createPacker>
  onLeftOut: (path: string, why: string) => void
}

/** What lies below the roots now. Files that nobody has touched are taken for what they were; of the others new content is packed. */
export const collect = async (options: Options): Promise<{ tree: Tree; stamps: Map<string, Stamp> }> => {
  const { roots, packer, chain, onLeftOut } = options
  const [tree, stamps] = [new Map<string, Entry>(), new Map<string, Stamp>()]
  // More packs on their way than memory is meant for are waited for.
  const pace = createPace(packer.keepUp)
  const { keep, read } = createReader(options, stamps, pace)
  let bytes = 0
  const add = (path: string, entry: Entry) => tree.set(path, preferKnown(entry, chain.tree.get(path)))
  for (const root of roots) {
    if (root.contents) {
      for (const [name, text] of Object.entries(root.contents())) {
        add(`${root.name}/${name}`, { kind: "file", mode: 0o600, mtime: 0, chunks: [keep(Buffer.from(text))] })
      }
      continue
    }
    const folder = ifThere(() => openFolder(root.path), root.name, options)
    if (!folder) {
      onLeftOut(root.name, "it is not a folder any more")
      continue
    }
    const began = timeIn(folder)
    try {
      for (const found of walk(folder, root.name, options)) {
        if (tree.size === entriesMax) throw new Error(`it holds more than ${entriesMax.toLocaleString("en")} files and folders`)
        const size = found.stat.isFile() ? found.stat.size : 0
        if (bytes + size > bytesMax) {
          onLeftOut(found.path, "it is more than there is room for: a checkpoint holds files of 100 GB in all")
          continue
        }
        bytes += size
        const entry = await entryOf(found, () => read(found, began))
        if (entry) add(found.path, entry)
        await pace(lookBytes)
      }
    } finally {
      closeFolder(folder)
    }
  }
  return { tree, stamps }
}

/** What looking at something costs, in bytes that could have been read meanwhile. */
const lookBytes = 16 * 1024

const permissions = 0o777

const entryOf = async ({ stat, target }: Found, read: () => Promise<Entry | undefined>): Promise<Entry | undefined> => {
  if (target !== undefined) return { kind: "link", target }
  return stat.isDirectory() ? { kind: "folder", mode: stat.mode & permissions } : read()
}

/** The entry that is there already, where it says the same. */
const preferKnown = (entry: Entry, known: Entry | undefined): Entry => (known && isSame(entry, known) ? known : entry)

const isSame = (a: Entry, b: Entry): boolean => {
  if (a === b) return true
  if (a.kind === "link") return b.kind === "link" && a.target === b.target
  if (a.kind === "folder") return b.kind === "folder" && a.mode === b.mode
  if (b.kind !== "file" || a.mode !== b.mode || a.mtime !== b.mtime || a.chunks.length !== b.chunks.length) return false
  return a.chunks.every(({ pack, offset, hash }, i) => {
    const other = b.chunks[i]!
    return pack === other.pack && offset === other.offset && hash === other.hash
  })
}

type Pace = ReturnType<typeof createPace>

/** Reads files, or rather does not where nothing can have changed. */
const createReader = (
  { chain, stamps: before, retired, packer, user, onLeftOut }: Options,
  stamps: Map<string, Stamp>,
  pace: Pace,
) => {
  let index: Map<string, Chunk> | undefined
  const keep = (bytes: Buffer): Chunk => {
    index ??= indexOf(chain, retired)
    const hash = chunkHash(bytes)
    const known = index.get(hash)
    if (known) return known
    const chunk = { ...packer.add(bytes), hash }
    index.set(hash, chunk)
    return chunk
  }
  const readNow = async (path: string, file: number, began: number): Promise<Entry | undefined> => {
    const stat = fstatSync(file)
    if (!stat.isFile() || isForeign(stat, user)) return undefined
    const chunks: Chunk[] = []
    for (const bytes of chunksOf(file, stat.size)) {
      chunks.push(keep(bytes))
      await pace(bytes.length)
    }
    // What was changed a moment ago may be changed once more in the same moment, and look the same.
    if (stat.ctimeMs < began - 20) stamps.set(path, stampOf(stat))
    return { kind: "file", mode: stat.mode & permissions, mtime: Math.floor(stat.mtimeMs), chunks }
  }
  const read = async ({ path, at, stat }: Found, began: number): Promise<Entry | undefined> => {
    const known = chain.tree.get(path)
    const stamp = before.get(path)
    if (known?.kind === "file" && isUntouched(stamp, stat) && !known.chunks.some(({ pack }) => retired.has(pack))) {
      stamps.set(path, stamp!)
      return known
    }
    const file = ifThere(() => openSync(at, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK), path, {
      onLeftOut,
    })
    if (file === undefined) return undefined
    try {
      return await readNow(path, file, began)
    } finally {
      closeSync(file)
    }
  }
  return { keep, read }
}

const isUntouched = (stamp: Stamp | undefined, stat: Stats) =>
  stamp !== undefined &&
  stamp.ino === stat.ino &&
  stamp.size === stat.size &&
  stamp.mtimeMs === stat.mtimeMs &&
  stamp.ctimeMs === stat.ctimeMs

const indexOf = ({ tree }: Chain, retired: Set<string>) => {
  const index = new Map<string, Chunk>()
  for (const entry of tree.values()) {
    if (entry.kind !== "file") continue
    for (const chunk of entry.chunks) if (!retired.has(chunk.pack)) index.set(chunk.hash, chunk)
  }
  return index
}

/**
 * The time now by the clock that files in a folder are stamped with, which a test's is not: what a folder becomes once more, it becomes
 * now, and a full disk has room for that. Where it may not be done, nothing counts as settled, and is read again the next time.
 */
const timeIn = ({ descriptor }: Folder) => {
  try {
    fchmodSync(descriptor, fstatSync(descriptor).mode & 0o7777)
    return fstatSync(descriptor).ctimeMs
  } catch {
    return 0
  }
}
