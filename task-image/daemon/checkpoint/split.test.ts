import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import fc from "fast-check"
import { afterAll, expect, test } from "vitest"
import { randomOf, textOf } from "../../test/tree.ts"
import { chunkHash } from "./packs.ts"
import { chunksOf, cut } from "./split.ts"

const folder = mkdtempSync(join(tmpdir(), "dormouse-split-"))
afterAll(() => rmSync(folder, { recursive: true }))

const split = (bytes: Buffer, size = bytes.length): Buffer[] => {
  const path = join(folder, "file")
  writeFileSync(path, bytes)
  const file = openSync(path, "r")
  try {
    return Array.from(chunksOf(file, size), (chunk) => Buffer.from(chunk))
  } finally {
    closeSync(file)
  }
}

const noise = (seed: number, length: number) => {
  const random = randomOf(seed)
  return Buffer.from(Uint8Array.from({ length }, () => random() * 256))
}

test("the boundaries are these and no others: with other ones nothing stored before would be found again", () => {
  const ends = (bytes: Buffer) => split(bytes).map(({ length }) => length)
  expect(ends(noise(1, 300_000))).toMatchInlineSnapshot(`
    [
      18259,
      17151,
      17830,
      23993,
      17269,
      21052,
      21049,
      18270,
      17729,
      19629,
      7636,
      19969,
      26759,
      19457,
      19036,
      7814,
      7098,
    ]
  `)
  expect(ends(Buffer.from(textOf(randomOf(2), 300_000)))).toMatchInlineSnapshot(`
    [
      14035,
      10225,
      13594,
      23442,
      22776,
      16921,
      22285,
      5593,
      17547,
      19069,
      15291,
      9249,
      21509,
      16654,
      33273,
      20895,
      17670,
    ]
  `)
  expect(ends(Buffer.alloc(300_000))).toMatchInlineSnapshot(`
    [
      65536,
      65536,
      65536,
      65536,
      37856,
    ]
  `)
})

test("a file below 256 KB is one chunk, an empty one none", () => {
  expect(split(noise(1, 256 * 1024 - 1))).toHaveLength(1)
  expect(split(Buffer.alloc(0))).toEqual([])
})

test("chunks put together are the file, whatever is in it and however long it is", () => {
  const lengths = fc.integer({ min: 0, max: 3_000_000 })
  fc.assert(
    fc.property(lengths, fc.integer({ min: 1, max: 50 }), (length, period) => {
      const bytes = Buffer.alloc(length, noise(period, period * 1000))
      expect(Buffer.concat(split(bytes)).equals(bytes)).toBe(true)
    }),
    { numRuns: 25 },
  )
})

test("chunks are a quarter to four times the average, and near to it in the middle", () => {
  const bytes = noise(3, 4_000_000)
  const lengths = split(bytes).map(({ length }) => length)
  expect(Math.min(...lengths.slice(0, -1))).toBeGreaterThanOrEqual(4 * 1024)
  expect(Math.max(...lengths)).toBeLessThanOrEqual(64 * 1024)
  const average = bytes.length / lengths.length
  expect(average).toBeGreaterThan(12 * 1024)
  expect(average).toBeLessThan(22 * 1024)
})

test("an insertion changes the chunks around it and leaves the others as they were", () => {
  const before = noise(4, 3_000_000)
  const after = Buffer.concat([before.subarray(0, 1_000_000), Buffer.from("inserted"), before.subarray(1_000_000)])
  const known = new Set(split(before).map(chunkHash))
  expect(split(after).filter((chunk) => !known.has(chunkHash(chunk))).length).toBeLessThanOrEqual(3)
})

test("a boundary depends on the 32 bytes before it alone", () => {
  const bytes = noise(5, 200_000)
  const other = Buffer.from(bytes)
  const end = cut(bytes, 0, bytes.length, 16 * 1024)
  other.fill(7, 0, end - 32)
  expect([end, cut(other, 0, end, 16 * 1024)]).toEqual([end, end])
})

test("zeros have no boundary: only therefore may they be passed over", () => {
  for (const average of [16 * 1024, 128 * 1024]) expect(cut(Buffer.alloc(average * 4), 0, average * 4, average)).toBe(average * 4)
})

test("of a file that grows while it is read, no more is taken than it had", () => {
  const bytes = noise(6, 3_000_000)
  for (const size of [1, 300_000, 64 * 16 * 1024, 2_000_000]) {
    expect(Buffer.concat(split(bytes, size)).equals(bytes.subarray(0, size))).toBe(true)
  }
})
