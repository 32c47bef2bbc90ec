import { randomUUID } from "node:crypto"
import { createReadStream, mkdirSync, readdirSync, rmSync } from "node:fs"
import { open } from "node:fs/promises"
import { join } from "node:path"

/** A piece of an object: a whole file. */
export interface Segment {
  blob: string
  size: number
}

/** Files of bytes, each written once under a random name. What they mean stands in the store. */
export class Blobs {
  readonly #directory: string
  readonly #readers = new Map<string, number>()
  readonly #condemned = new Set<string>()

  constructor(directory: string) {
    this.#directory = directory
    mkdirSync(directory, { recursive: true })
  }

  /** Removes what no row knows, which is what a sudden end leaves behind. */
  sweep(known: ReadonlySet<string>) {
    for (const blob of readdirSync(this.#directory)) if (!known.has(blob)) this.#remove(blob)
  }

  /** Writes a new blob through to the disk and answers its name. When `bytes` fails, nothing stays. */
  async create(bytes: AsyncIterable<Buffer>): Promise<string> {
    const blob = randomUUID()
    const file = await open(this.#path(blob), "wx")
    try {
      await file.writeFile(bytes)
      await file.sync()
    } catch (error) {
      await file.close()
      this.#remove(blob)
      throw error
    }
    await file.close()
    return blob
  }

  /**
   * The bytes from `start` to `end` (both included) of segments in a row. The blobs are held from this call until the answer has
   * been read or returned, so that whoever reads an object while it is overwritten gets the old one whole.
   */
  read(segments: Segment[], start: number, end: number): AsyncIterable<Uint8Array> {
    const release = this.#hold(segments)
    const pieces = this.#pieces(segments, start, end)
    return {
      [Symbol.asyncIterator]: () => ({
        async next() {
          try {
            const result = await pieces.next()
            if (result.done) release()
            return result
          } catch (error) {
            release()
            throw error
          }
        },
        async return() {
          await pieces.return()
          release()
          return { done: true as const, value: undefined }
        },
      }),
    }
  }

  /** Removes blobs that no row refers to any more, each as soon as nobody reads it. */
  discard(blobs: Iterable<string>) {
    for (const blob of blobs) {
      if (this.#readers.has(blob)) this.#condemned.add(blob)
      else this.#remove(blob)
    }
  }

  async *#pieces(segments: Segment[], start: number, end: number): AsyncGenerator<Uint8Array, void> {
    let offset = 0
    for (const { blob, size } of segments) {
      const [from, to] = [Math.max(start - offset, 0), Math.min(end - offset, size - 1)]
      if (from <= to) yield* createReadStream(this.#path(blob), { start: from, end: to })
      offset += size
    }
  }

  #hold(segments: Segment[]) {
    for (const { blob } of segments) this.#readers.set(blob, (this.#readers.get(blob) ?? 0) + 1)
    let held = true
    return () => {
      if (held) for (const { blob } of segments) this.#letGo(blob)
      held = false
    }
  }

  #letGo(blob: string) {
    const readers = this.#readers.get(blob)! - 1
    if (readers > 0) {
      this.#readers.set(blob, readers)
      return
    }
    this.#readers.delete(blob)
    if (this.#condemned.delete(blob)) this.#remove(blob)
  }

  #remove(blob: string) {
    try {
      rmSync(this.#path(blob), { force: true })
    } catch (error) {
      // The change that made it superfluous has been committed, so it only takes room until the next start sweeps it.
      console.error(`S3: the file of a removed object could not be deleted and stays until the next start: ${error}`)
    }
  }

  #path(blob: string) {
    return join(this.#directory, blob)
  }
}
