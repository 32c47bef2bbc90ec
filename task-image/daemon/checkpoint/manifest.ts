import * as z from "zod"
import { CheckpointObjectName as name } from "../../../core/protocol.ts"

/** What a checkpoint says, and how it is written down: docs/checkpoints.md tells the same in prose. */

/** A stretch of bytes in a pack. `hash` is of these bytes, so that the same are never kept twice. */
export type Chunk = { pack: string; offset: number; length: number; hash: string }

export type Entry =
  | { kind: "folder"; mode: number }
  /** `mtime` in whole milliseconds since the epoch. */
  | { kind: "file"; mode: number; mtime: number; chunks: Chunk[] }
  | { kind: "link"; target: string }

/** Everything below the roots, by path: the name of the root, then names joined by slashes. The roots themselves are not in it. */
export type Tree = Map<string, Entry>

/** Bytes before and after compression, and the SHA-256 of the latter. */
export type Pack = { bytes: number; stored: number; hash: string }

/** One link of the chain: what is different from the one before; undefined where something is gone. */
export type Segment = { previous: string | null; packs: Map<string, Pack>; changes: Map<string, Entry | undefined> }

/** A checkpoint that cannot be restored: cut off, changed, or made by somebody who means no good. */
export class Damaged extends Error {
  override name = "Damaged"

  constructor(what: string) {
    super(`The checkpoint is damaged: ${what}`)
  }
}

/** Most bytes in a pack, before compression. */
export const packBytesMax = 8 * 1024 ** 2

/** Most bytes of a segment as JSON. One of two million files stays below this; anything larger is meant to fill our memory. */
export const segmentBytesMax = 256 * 1024 ** 2

const count = z.int().min(0)

const Document = z.object({
  version: z.literal(1),
  previous: name.nullable(),
  /** Packs that this segment brings: name, bytes, stored bytes, hash. */
  packs: z.array(z.tuple([name, count.max(packBytesMax), count, z.string()])),
  /** Packs that the entries speak of by number. */
  refs: z.array(name),
  entries: z.array(z.unknown()),
})

/** A segment as JSON. */
export const encode = ({ previous, packs, changes }: Segment): string => {
  const numbers = new Map<string, number>()
  const numberOf = (pack: string) => numbers.get(pack) ?? numbers.set(pack, numbers.size).size - 1
  const entries = [...changes].map(([path, entry]) => {
    if (!entry) return ["-", path]
    if (entry.kind === "folder") return ["d", path, entry.mode]
    if (entry.kind === "link") return ["l", path, entry.target]
    const chunks = entry.chunks.flatMap(({ pack, offset, length, hash }) => [numberOf(pack), offset, length, hash])
    return ["f", path, entry.mode, entry.mtime, ...chunks]
  })
  const brought = [...packs].map(([name, { bytes, stored, hash }]) => [name, bytes, stored, hash])
  return JSON.stringify({ version: 1, previous, packs: brought, refs: [...numbers.keys()], entries })
}

/** Reads what `encode` has written, or somebody else. Throws `Damaged`. */
export const decode = (text: string): Segment => {
  const { data } = Document.safeParse(parseJson(text))
  if (!data) throw new Damaged("a segment is not what was agreed")
  const packs = new Map(data.packs.map(([name, bytes, stored, hash]) => [name, { bytes, stored, hash }]))
  const changes = new Map<string, Entry | undefined>()
  // By hand, since there may be a hundred thousand of them.
  for (const raw of data.entries) {
    if (!Array.isArray(raw) || typeof raw[1] !== "string") throw new Damaged("an entry has no path")
    if (changes.has(raw[1])) throw new Damaged(`${JSON.stringify(raw[1])} is there twice`)
    changes.set(raw[1], entryOf(raw, data.refs))
  }
  return { previous: data.previous, packs, changes }
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const entryOf = ([kind, path, first, second, ...rest]: unknown[], refs: string[]): Entry | undefined => {
  if (kind === "-") return undefined
  if (kind === "d" && isMode(first)) return { kind: "folder", mode: first }
  if (kind === "l" && isTarget(first)) return { kind: "link", target: first }
  const isFile = kind === "f" && isMode(first) && Number.isSafeInteger(second) && rest.length % 4 === 0
  if (!isFile) throw new Damaged(`${JSON.stringify(path)} is nothing that can be restored`)
  const chunks = Array.from({ length: rest.length / 4 }, (_, i) => chunkOf(rest.slice(i * 4, i * 4 + 4), refs))
  return { kind: "file", mode: first, mtime: second as number, chunks }
}

/** Permissions and nothing else: no file gets another user's rights by being restored. */
const isMode = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 0o777

const isTarget = (value: unknown): value is string =>
  typeof value === "string" && value !== "" && !value.includes("\0") && value.isWellFormed() && Buffer.byteLength(value) < 4096

const chunkOf = ([number, offset, length, hash]: unknown[], refs: string[]): Chunk => {
  const pack = refs[number as number]
  if (pack === undefined || !isCount(offset) || !isCount(length) || typeof hash !== "string")
    throw new Damaged("a file has a piece that cannot be found")
  return { pack, offset, length, hash }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
