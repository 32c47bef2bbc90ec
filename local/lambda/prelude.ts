import type { Sink } from "./environment.ts"

/** What a streaming function says before its first byte. */
export interface Prelude {
  statusCode?: number
  headers?: Record<string, string | number | boolean>
  multiValueHeaders?: Record<string, string[]>
  cookies?: string[]
}

interface Receiver {
  onMeta(prelude: Prelude): void
  onChunk(bytes: Uint8Array): Promise<void> | void
}

const contentType = "application/vnd.awslambda.http-integration-response"
const delimiter = Buffer.alloc(8)
const maxPreludeBytes = 16 * 1024

/**
 * Takes the raw stream of a function apart as API Gateway does: JSON, eight zero bytes, then the body. `complete` tells whether the
 * first part ever came to its end. A stream without the content type, or whose first part passes 16 KB, has none.
 */
export function preludeOf(receiver: Receiver): Sink & { complete(): boolean } {
  let head = Buffer.alloc(0)
  let complete = false
  return {
    complete: () => complete,
    async chunk(bytes, type) {
      if (complete) return receiver.onChunk(bytes)
      if (type !== contentType || head.length > maxPreludeBytes) return
      head = Buffer.concat([head, bytes])
      const at = head.indexOf(delimiter)
      if (at < 0) return
      complete = true
      receiver.onMeta(JSON.parse(head.subarray(0, at).toString()))
      const rest = head.subarray(at + delimiter.length)
      if (rest.length > 0) await receiver.onChunk(rest)
    },
  }
}
