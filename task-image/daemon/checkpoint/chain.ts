import { type Chunk, Damaged, type Entry, type Pack, type Segment, type Tree } from "./manifest.ts"

/** What a chain of segments comes to. */
export type Chain = {
  /** Names, the first one first; the last is the head. */
  segments: string[]
  packs: Map<string, Pack>
  tree: Tree
}

export const emptyChain = (): Chain => ({ segments: [], packs: new Map(), tree: new Map() })

/** Adds one segment to a chain. Throws `Damaged` where it does not follow what is there. */
export const extend = ({ segments, packs, tree }: Chain, name: string, segment: Segment): Chain => {
  if (segment.previous !== (segments.at(-1) ?? null)) throw new Damaged(`${name} does not follow the segment before it`)
  const grown = new Map(tree)
  for (const [path, entry] of segment.changes) {
    if (entry) grown.set(path, entry)
    else grown.delete(path)
  }
  return { segments: [...segments, name], packs: new Map([...packs, ...segment.packs]), tree: grown }
}

/** Limits of what is restored, and therefore of what is saved. */
export const entriesMax = 2_000_000
export const bytesMax = 100 * 1024 ** 3
const pathBytesMax = 4095
const namesMax = 512

/** Holds a tree to what may be restored: below its roots, one thing a path, every piece where it is said to be. Throws `Damaged`. */
export const check = ({ tree, packs }: Chain, roots: string[]) => {
  if (tree.size > entriesMax) throw new Damaged("it holds too many files")
  let bytes = 0
  for (const [path, entry] of tree) {
    checkPath(path, tree, roots)
    if (entry.kind !== "file") continue
    for (const chunk of entry.chunks) checkChunk(chunk, packs.get(chunk.pack))
    bytes += sizeOf(entry)
    if (bytes > bytesMax) throw new Damaged("its files are too large")
  }
}

export const sizeOf = ({ chunks }: Extract<Entry, { kind: "file" }>) => chunks.reduce((sum, { length }) => sum + length, 0)

const checkPath = (path: string, tree: Tree, roots: string[]) => {
  const names = path.split("/")
  if (names.length < 2 || !names.every(isName) || !isShort(path) || !roots.includes(names[0]!))
    throw new Damaged(`${JSON.stringify(path.slice(0, 200))} is no path of ours`)
  const parent = names.slice(0, -1).join("/")
  if (names.length > 2 && tree.get(parent)?.kind !== "folder")
    throw new Damaged(`${JSON.stringify(path)} lies in something that is no folder`)
}

/** Half a surrogate pair would become another name on its way to the disk. */
export const isName = (name: string) =>
  name !== "" && name !== "." && name !== ".." && !name.includes("\0") && name.isWellFormed() && Buffer.byteLength(name) <= 255

/** Whether a path is no longer and no deeper than any that is restored. */
export const isShort = (path: string) =>
  Buffer.byteLength(path) <= pathBytesMax && path.split("/", namesMax + 1).length <= namesMax

const checkChunk = ({ offset, length }: Chunk, pack: Pack | undefined) => {
  if (!pack || offset + length > pack.bytes) throw new Damaged("a file has a piece that is in no pack")
}
