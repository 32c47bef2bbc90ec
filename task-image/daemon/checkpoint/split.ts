import { readSync } from "node:fs"

/** Files of at least so many bytes are split by content, so that an insertion costs what is around it and not the whole file. */
export const splitBytes = 256 * 1024
/** Where the pieces of a very large file would be too many, they are larger. */
const largeBytes = 64 * 1024 ** 2
const averages = { usual: 16 * 1024, large: 128 * 1024 }

/** A fixed number for every byte. Another table would cut everything elsewhere, and nothing would be found again. */
const gear = Uint32Array.from({ length: 256 }, (_, i) => {
  let mixed = Math.imul(i + 1, 0x9e3779b9)
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
})

/**
 * Where the chunk that begins at `start` ends, in bytes that are there up to `end`. A rolling sum over the last 32 bytes decides, by
 * the method of FastCDC: it is hard to please before the average size and easy behind it, so that most chunks are near to it.
 */
export const cut = (bytes: Uint8Array, start: number, end: number, average: number): number => {
  const bits = Math.log2(average)
  const last = Math.min(start + average * 4, end)
  const normal = Math.min(start + average, last)
  let sum = 0
  let at = Math.min(start + average / 4, last)
  for (; at < normal; at++) {
    sum = ((sum << 1) + gear[bytes[at]!]!) | 0
    if (sum >>> (30 - bits) === 0) return at + 1
  }
  for (; at < last; at++) {
    sum = ((sum << 1) + gear[bytes[at]!]!) | 0
    if (sum >>> (34 - bits) === 0) return at + 1
  }
  return last
}

/** Bytes of zeros, as many as a chunk can have: holes of sparse files are told by them. */
const zeros = Buffer.alloc(averages.large * 4)

/** Whether there are only zeros, at most `zeros` of them. The first byte says no to nearly everything, and costs next to nothing. */
export const isZero = (bytes: Buffer, start: number, end: number) =>
  bytes[start] === 0 && bytes.compare(zeros, 0, end - start, start, end) === 0

/**
 * The chunks of an opened file, each good until the next is asked for. A small file is one, an empty one none. No more is read than
 * `size`: a file that somebody goes on writing to would never end.
 */
export function* chunksOf(file: number, size: number): Generator<Buffer> {
  if (size === 0) return
  if (size < splitBytes) return yield read(file, Buffer.allocUnsafe(size), 0)
  const average = size < largeBytes ? averages.usual : averages.large
  const most = average * 4
  const window = Buffer.allocUnsafe(average * 64)
  let rest = 0
  let left = size
  for (;;) {
    const filled = read(file, window.subarray(0, rest + left), rest)
    left -= filled.length - rest
    const isLast = filled.length < window.length
    let start = 0
    // A chunk may end anywhere within four averages: with less than that in sight its end is not known yet.
    while (filled.length - start >= most || (isLast && start < filled.length)) {
      const inSight = Math.min(start + most, filled.length)
      // Among zeros there is no boundary, and a sparse file may have billions of them.
      const end = isZero(filled, start, inSight) ? inSight : cut(filled, start, filled.length, average)
      yield filled.subarray(start, end)
      start = end
    }
    if (isLast) return
    window.copyWithin(0, start)
    rest = window.length - start
  }
}

/** Fills a buffer from `from` on, as far as the file goes. */
const read = (file: number, buffer: Buffer, from: number): Buffer => {
  let at = from
  while (at < buffer.length) {
    const got = readSync(file, buffer, at, buffer.length - at, null)
    if (got === 0) break
    at += got
  }
  return buffer.subarray(0, at)
}
