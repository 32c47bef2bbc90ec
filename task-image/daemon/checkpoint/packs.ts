import { hash } from "node:crypto"
import { promisify } from "node:util"
import { constants, zstdCompress, zstdDecompress } from "node:zlib"
import { Damaged, type Pack, packBytesMax } from "./manifest.ts"

const compressed = promisify(zstdCompress)
const decompressed = promisify(zstdDecompress)

/**
 * Level 3 is where zstd is fast and good; the checksum finds what was cut off or changed. Every chunk of the output is a way to the
 * thread pool and back, and with Node's 16 KB nearly half of a restore is nothing else.
 */
const options = {
  chunkSize: 1024 ** 2,
  params: { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_checksumFlag]: 1 },
}

export const compress = (bytes: Buffer): Promise<Buffer> => compressed(bytes, options)

/** Throws `Damaged` for what is no zstd, was changed, or would grow beyond `bytesMax`. */
export const decompress = async (stored: Buffer, bytesMax: number): Promise<Buffer> => {
  // A pack comes in one chunk, which has room for more than was said: that is found out, and the end without a second one.
  const chunkSize = Math.min(bytesMax, packBytesMax) + 64
  try {
    return await decompressed(stored, { maxOutputLength: Math.max(bytesMax, 1), chunkSize })
  } catch (error) {
    throw new Damaged(`a part of it cannot be read (${error instanceof Error ? error.message : error})`)
  }
}

/** Short, since there is one for every file: 128 bits are enough to tell the bytes of one workspace apart. */
export const chunkHash = (bytes: Buffer) => hash("sha256", bytes, "base64url").slice(0, 22)

export const packHash = (stored: Buffer) => hash("sha256", stored, "base64url")

/** The contents of a pack. Throws `Damaged` where it is not the one that the segment spoke of. */
export const openPack = async (stored: Buffer, { bytes, hash }: Pack): Promise<Buffer> => {
  if (packHash(stored) !== hash) throw new Damaged("a pack is not the one that was stored")
  const opened = await decompress(stored, bytes)
  if (opened.length !== bytes) throw new Damaged("a pack is not as long as was said")
  return opened
}

type Options = {
  nextName: () => string
  /** Takes a pack that is ready to be stored. */
  onPack: (name: string, stored: Buffer) => Promise<void>
}

/** Fills packs with chunks, in the order in which they come, so that what lies together is compressed together. */
export const createPacker = ({ nextName, onPack }: Options) => {
  const packs = new Map<string, Pack>()
  const working = new Set<Promise<void>>()
  let failure: unknown
  let buffer = Buffer.alloc(0)
  let filled = 0
  let name = ""

  const close = () => {
    if (filled === 0) return
    const work = seal(name, buffer.subarray(0, filled)).catch((error: unknown) => {
      failure ??= error
    })
    const tracked = work.finally(() => working.delete(tracked))
    working.add(tracked)
    buffer = Buffer.alloc(0)
    filled = 0
  }
  const seal = async (name: string, bytes: Buffer) => {
    const stored = await compress(bytes)
    packs.set(name, { bytes: bytes.length, stored: stored.length, hash: packHash(stored) })
    await onPack(name, stored)
  }
  const settle = async (most: number) => {
    while (working.size > most) await Promise.race(working)
    if (failure) throw failure
  }

  return {
    /** Copies the bytes into the pack of the moment and says where they lie. */
    add: (bytes: Buffer) => {
      if (filled + bytes.length > buffer.length) {
        close()
        buffer = Buffer.allocUnsafe(packBytesMax)
        name = nextName()
      }
      bytes.copy(buffer, filled)
      const place = { pack: name, offset: filled, length: bytes.length }
      filled += bytes.length
      return place
    },
    /** Waits while more packs are on their way than memory is meant for. */
    keepUp: () => settle(3),
    /** Closes the last pack and answers all of them once they are taken. */
    finish: async () => {
      close()
      await settle(0)
      return packs
    },
  }
}
