import type { z } from "zod"
import { after, now } from "../../core/clock.ts"
import { type LogLine, logBatchBytes, logBatchLines, logLineCharacters } from "../../core/protocol.ts"

export type Line = z.infer<typeof LogLine>
export type Source = Line["source"]

/** Room for what surrounds the lines in a batch. */
const envelopeBytes = 100
const flushMs = 1000

type Options = {
  /** Sends one batch until it is accepted; throws when it never will be. */
  send: (sequence: number, lines: Line[]) => Promise<void>
  /** Told of what cannot be sent. */
  onRefused: (error: unknown, lines: number) => void
  /** The container's own output gets the daemon's lines as well. */
  print: (line: string) => void
  /** Never to be written, whoever says them. */
  secrets: string[]
}

/**
 * The run's log. Lines go out in numbered batches, one after the other, a second after they were said or as soon as a batch is full.
 * `flush` resolves when all that was said before it has been taken.
 */
export const createLogs = ({ send, onRefused, print, secrets }: Options) => {
  const waiting: Line[] = []
  let waitingBytes = 0
  let sequence = 0
  let sending: Promise<void> = Promise.resolve()
  let stopTimer: (() => void) | undefined

  const say = (source: Source, text: string) => {
    const created_at = now().toISOString()
    for (const message of linesOf(text, secrets)) {
      const line = { source, message, created_at }
      if (source === "daemon") print(message)
      waiting.push(line)
      waitingBytes += sizeOf(line)
    }
    if (waiting.length >= logBatchLines || waitingBytes >= logBatchBytes - envelopeBytes) void flush()
    else stopTimer ??= after(flushMs, () => void flush())
  }

  const flush = (): Promise<void> => {
    stopTimer?.()
    stopTimer = undefined
    sending = sending.then(sendAll)
    return sending
  }

  const sendAll = async () => {
    while (waiting.length > 0) {
      const lines = takeBatch(waiting)
      waitingBytes = waiting.reduce((sum, line) => sum + sizeOf(line), 0)
      await send(++sequence, lines).catch((error: unknown) => onRefused(error, lines.length))
    }
  }

  return { say, flush }
}

export type Logs = ReturnType<typeof createLogs>

const sizeOf = (line: Line) => Buffer.byteLength(JSON.stringify(line)) + 1

/** Removes from the front of `waiting` as much as fits into one batch. */
const takeBatch = (waiting: Line[]): Line[] => {
  let bytes = envelopeBytes
  let count = 0
  for (const line of waiting.slice(0, logBatchLines)) {
    bytes += sizeOf(line)
    if (count > 0 && bytes > logBatchBytes) break
    count++
  }
  return waiting.splice(0, count)
}

const linesOf = (text: string, secrets: string[]) => {
  const clean = secrets.reduce((rest, secret) => rest.replaceAll(secret, "[secret]"), text)
  return clean.split(/\r?\n/).map(shorten)
}

const shorten = (line: string) => {
  const left = line.length - logLineCharacters
  const kept = left > 0 ? `${line.slice(0, logLineCharacters)} … (${left} more characters)` : line
  // Half a character, where the cut went through one, is not JSON to everybody.
  return kept.toWellFormed()
}
