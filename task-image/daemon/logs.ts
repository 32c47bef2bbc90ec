import type { z } from "zod"
import { after, millis, now } from "../../core/clock.ts"
import {
  type AppendedLogs,
  type LogLine,
  logBatchBytes,
  logBatchLines,
  logLineCharacters,
  logPauseSeconds,
} from "../../core/protocol.ts"

export type Line = z.infer<typeof LogLine>
export type Source = Line["source"]

const { shortest, longest } = logPauseSeconds

/** Room for what surrounds the lines in a batch. */
const envelopeBytes = 100

type Options = {
  /** Sends one batch until it is accepted, and answers whether somebody reads the log; throws when it never will be. */
  send: (sequence: number, lines: Line[]) => Promise<Answer>
  /** Told of what cannot be sent. */
  onRefused: (error: unknown, lines: number) => void
  /** The container's own output gets the daemon's lines as well. */
  print: (line: string) => void
  /** Never to be written, whoever says them. */
  secrets: string[]
}

type Answer = Pick<z.infer<typeof AppendedLogs>, "is_followed">

/**
 * The run's log. Lines go out in numbered batches, one after the other: soon after they were said, but not before a pause has gone by
 * since the API last answered; as soon as a batch is full in any case. The pause is the shortest while somebody reads the log, and where
 * nobody does it doubles with each batch, up to the longest.
 */
export const createLogs = ({ send, onRefused, print, secrets }: Options) => {
  const waiting: Line[] = []
  let waitingBytes = 0
  let sequence = 0
  let sending: Promise<void> = Promise.resolve()
  /** Those of `sendAll` that were called for and have not ended. */
  let underWay = 0
  let stopTimer: (() => void) | undefined
  let pauseSeconds = shortest
  let answeredAt = 0

  const say = (source: Source, text: string) => {
    const created_at = now().toISOString()
    for (const message of linesOf(text, secrets)) {
      const line = { source, message, created_at }
      if (source === "daemon") print(message)
      waiting.push(line)
      waitingBytes += sizeOf(line)
    }
    schedule()
  }

  /** A moment is left for the lines that come with the first one. What is under way looks at its end what is due by then. */
  const schedule = () => {
    if (underWay > 0 || waiting.length === 0) return
    if (waiting.length >= logBatchLines || waitingBytes >= logBatchBytes - envelopeBytes) return void sendWaiting()
    stopTimer ??= after(Math.max(shortest * 1000, answeredAt + pauseSeconds * 1000 - millis()), () => void sendWaiting())
  }

  const sendWaiting = (): Promise<void> => {
    unschedule()
    underWay++
    sending = sending.then(sendAll)
    return sending
  }

  const unschedule = () => {
    stopTimer?.()
    stopTimer = undefined
  }

  const reschedule = () => {
    unschedule()
    schedule()
  }

  /** What comes while it is sent waits for its own turn: otherwise whoever never stops talking would never pause. */
  const sendAll = async () => {
    for (let left = waiting.length; left > 0; ) {
      const lines = takeBatch(waiting)
      left -= lines.length
      waitingBytes = waiting.reduce((sum, line) => sum + sizeOf(line), 0)
      const answer = await send(++sequence, lines).catch((error: unknown) => onRefused(error, lines.length))
      pauseSeconds = Math.min(pauseSeconds * 2, longest)
      hear(answer ?? {})
    }
    underWay--
    reschedule()
  }

  /** Takes what an answer says of readers, also one to a heartbeat: where that was just sent, the next batch is not due yet. */
  const hear = ({ is_followed }: Answer) => {
    answeredAt = millis()
    if (is_followed !== false) pauseSeconds = shortest
  }

  /** Sends all that was said until now, and resolves when it has been taken. What comes after it begins with the shortest pause. */
  const flush = async () => {
    await sendWaiting()
    pauseSeconds = shortest
    reschedule()
  }

  return { say, flush, hear }
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
