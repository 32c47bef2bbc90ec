import { randomBytes } from "node:crypto"
import { describe, expect, test } from "vitest"
import { packBytesMax } from "./manifest.ts"
import { compress, decompress, openPack, packHash } from "./packs.ts"

const kb = 1024

describe.each([1, 63, 64, 65, 16 * kb, kb ** 2, packBytesMax - 1, packBytesMax])("a pack of %i bytes", (length) => {
  const bytes = randomBytes(length)
  const stored = compress(bytes)
  const open = async (said: number) => openPack(await stored, { bytes: said, stored: 0, hash: packHash(await stored) })

  test("is opened as what it was", async () => {
    expect((await open(length)).equals(bytes)).toBe(true)
  })

  test("is not opened where a byte less or more was said", async () => {
    await expect(open(length - 1)).rejects.toThrow("damaged")
    await expect(open(length + 1)).rejects.toThrow("damaged")
  })

  test("is not opened where its last byte is missing", async () => {
    await expect(decompress((await stored).subarray(0, -1), length)).rejects.toThrow("damaged")
  })
})

test("a segment may be much larger than a pack", async () => {
  const text = Buffer.alloc(3 * packBytesMax + 1, "segment ")
  expect((await decompress(await compress(text), text.length)).equals(text)).toBe(true)
})
