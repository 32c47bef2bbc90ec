import { type IncomingMessage, request as plain, type RequestOptions } from "node:http"
import { request as secure } from "node:https"
import { Readable } from "node:stream"
import { after, sleep } from "../../core/clock.ts"

export type Sent = {
  method: string
  headers?: Record<string, string>
  body?: Buffer | Readable
  signal?: AbortSignal | undefined
  /** Gives up when no byte has gone either way for so long. Of the machine's time, since it is the network's. */
  stallSeconds?: number
}

/** How long a file's transfer may stand still. */
export const stallSeconds = 120

/** Starts a request and answers with the response's head; its body is the caller's to read. */
export const send = (url: URL, { method, headers, body, signal, stallSeconds }: Sent): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const options: RequestOptions = { method, headers, signal }
    const request = (url.protocol === "https:" ? secure : plain)(url, options, resolve)
    request.on("error", reject)
    if (stallSeconds)
      request.setTimeout(stallSeconds * 1000, () =>
        request.destroy(new Error(`The other side was silent for ${stallSeconds} seconds`)),
      )
    if (!(body instanceof Readable)) return void request.end(body)
    body.on("error", (error) => request.destroy(error))
    body.pipe(request)
  })

export const readAll = async (response: IncomingMessage): Promise<Buffer> => {
  const parts: Buffer[] = []
  for await (const part of response) parts.push(part)
  return Buffer.concat(parts)
}

/** Does `work` with a signal that aborts after `seconds` on our clock. */
export const withTimeout = async <T>(seconds: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> => {
  const timeout = new AbortController()
  const stop = after(seconds * 1000, () => timeout.abort(new Error(`No answer within ${seconds} seconds`)))
  try {
    return await work(timeout.signal)
  } finally {
    stop()
  }
}

/** Waits between attempts, in seconds: two minutes in all. */
const waits = [0.5, 1, 2, 4, 8, 15, 30, 30, 30]

/**
 * Repeats `work` with growing waits as long as it throws what `isPassing` calls a passing trouble; then throws that. Once the signal
 * aborts, whatever `work` throws was only its consequence: its reason is thrown.
 */
export const persist = async <T>(
  work: () => Promise<T>,
  isPassing: (error: unknown) => boolean,
  signal?: AbortSignal,
): Promise<T> => {
  const attempt = async () => {
    signal?.throwIfAborted()
    try {
      return await work()
    } catch (error) {
      signal?.throwIfAborted()
      throw error
    }
  }
  for (const wait of waits) {
    try {
      return await attempt()
    } catch (error) {
      if (signal?.aborted || !isPassing(error)) throw error
    }
    await sleep(wait * 1000, signal)
  }
  return attempt()
}
