import type { Readable } from "node:stream"
import { limits } from "./limits.ts"
import { Problem } from "./problem.ts"
import * as Storage from "./storage.ts"

/** Bytes on their way out: streamed, or for a large object an address to fetch them from. */

export interface Download {
  status: 200 | 206 | 302
  headers: Record<string, string>
  body: string | Readable
}

interface Stored {
  objectKey: string
  /** A name, or a path whose last part is one. */
  filename: string
  sizeBytes: number
}

const contentType = "application/octet-stream"

/**
 * The bytes of an object, or the range of them that the headers of the request ask for; S3 says what a range means. Over 100 MB an
 * address that holds for five minutes, where ranges work as well. Raises `range_not_satisfiable`.
 */
export async function download(
  { objectKey, filename, sizeBytes }: Stored,
  asked: Record<string, string | undefined>,
): Promise<Download> {
  const disposition = dispositionOf(filename)
  if (sizeBytes > limits.streamedDownloadBytes) {
    const location = await Storage.presignedGet(objectKey, { disposition, contentType })
    return { status: 302, headers: { location, "cache-control": "no-store" }, body: "" }
  }
  const { Body, ContentLength, ContentRange } = await read(objectKey, rangeIn(asked))
  return {
    status: ContentRange ? 206 : 200,
    headers: {
      "content-type": contentType,
      "content-length": String(ContentLength),
      "content-disposition": disposition,
      "accept-ranges": "bytes",
      "x-content-type-options": "nosniff",
      ...(ContentRange && { "content-range": ContentRange }),
    },
    body: Body as Readable,
  }
}

async function read(objectKey: string, range: string | undefined) {
  try {
    return await Storage.read(objectKey, range)
  } catch (error) {
    if (error instanceof Error && error.name === "InvalidRange") throw new Problem("range_not_satisfiable")
    throw error
  }
}

/** The range that is asked for, unless it depends on a state of the bytes: we give them no tag, so no `If-Range` can be ours. */
function rangeIn(headers: Record<string, string | undefined>) {
  const asked = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  return asked.has("if-range") ? undefined : asked.get("range")
}

/** RFC 6266: a plain name for old clients, the real one in UTF-8. */
const dispositionOf = (path: string) => {
  const name = path.split("/").at(-1)!
  const plain = name.replace(/[^\x20-\x7e]|["\\%]/g, "_")
  const encoded = encodeURIComponent(name).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`
}
