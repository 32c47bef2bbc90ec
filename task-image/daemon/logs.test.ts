import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { millis } from "../../core/clock.ts"
import { AppendLogs, heartbeatSeconds, logBatchBytes, logBatchLines, logLineCharacters } from "../../core/protocol.ts"
import { createLogs, type Line } from "./logs.ts"

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout"] })
})
afterEach(() => {
  vi.useRealTimers()
})

/** So many seconds go by, each with something at its beginning, and whatever was due by then is done. */
const pass = async (seconds: number, each: () => void = () => undefined) => {
  for (let i = 0; i < seconds; i++) {
    each()
    await vi.advanceTimersByTimeAsync(1_000)
  }
}

/** A log whose batches are taken, each held to the protocol. */
const startLog = (answer: { is_followed?: boolean } = { is_followed: false }, answersAfterMs = 0) => {
  const batches: Line[][] = []
  const refused: number[] = []
  const begun = millis()
  /** At which second each batch was sent. */
  const sentAt: number[] = []
  const logs = createLogs({
    secrets: ["hunter2"],
    print: () => undefined,
    send: async (sequence, lines) => {
      expect(AppendLogs.safeParse({ sequence, lines }).error).toBeUndefined()
      expect(Buffer.byteLength(JSON.stringify({ sequence, lines }))).toBeLessThanOrEqual(logBatchBytes)
      expect(sequence).toBe(batches.push(lines) + refused.length)
      sentAt.push((millis() - begun) / 1000)
      if (lines.some(({ message }) => message === "refuse me")) throw new Error("no")
      if (answersAfterMs > 0) await new Promise((resolve) => setTimeout(resolve, answersAfterMs))
      return answer
    },
    onRefused: (_, lines) => refused.push(lines),
  })
  const messages = () => batches.flat().map(({ message }) => message)
  return { ...logs, answer, batches, messages, refused, sentAt }
}

test("batches hold 200 lines and 100 KB at most, and everything in order", async () => {
  const log = startLog()
  const wanted = Array.from({ length: 450 }, (_, i) => `${i} ${"ü".repeat((i % 7) * 500)}`)
  for (const line of wanted) log.say("agent_stdout", line)
  await log.flush()

  expect(log.messages()).toEqual(wanted)
  expect(log.batches.length).toBeGreaterThan(3)
})

test("a long line is cut with a mark, and half a character is not left over", async () => {
  const log = startLog()
  log.say("agent_stdout", `${"x".repeat(logLineCharacters - 1)}😀 and more`)
  await log.flush()

  expect(log.messages()[0]).toMatch(/x\uFFFD … \(10 more characters\)$/)
})

test("a secret is never written, whoever says it", async () => {
  const log = startLog()
  log.say("agent_stdout", "the password is hunter2, hunter2 I say")
  await log.flush()

  expect(log.messages()).toEqual(["the password is [secret], [secret] I say"])
})

test("what is said while a batch is under way is part of the next flush", async () => {
  const log = startLog()
  log.say("daemon", "first")
  const flushed = log.flush()
  log.say("daemon", "second")
  await Promise.all([flushed, log.flush()])

  expect(log.messages()).toEqual(["first", "second"])
})

describe("a log that nobody reads", () => {
  test("has its first lines sent after a second, and whoever never stops talking is sent in pauses that double up to the longest", async () => {
    const log = startLog()
    await pass(150, () => log.say("agent_stdout", "and"))
    expect(log.sentAt).toEqual([1, 3, 7, 15, 31, 56, 81, 106, 131])
    expect(log.messages()).toHaveLength(131)
  })

  test("waits for no line longer than the longest pause, nor for one after a silence longer than a moment", async () => {
    const log = startLog()
    await pass(56, () => log.say("agent_stdout", "and"))
    await pass(1, () => log.say("agent_stdout", "waits"))
    await pass(23)
    expect(log.messages()).not.toContain("waits")
    await pass(1)
    expect(log.messages()).toContain("waits")
    await pass(200)
    log.say("agent_stdout", "goes soon")
    await pass(1)
    expect(log.messages().at(-1)).toBe("goes soon")
  })

  test("counts a heartbeat as an answer too, so that both together are no more than either alone", async () => {
    const log = startLog()
    await pass(31, () => log.say("agent_stdout", "and"))
    await pass(heartbeatSeconds)
    log.hear({ is_followed: false })
    await pass(24, () => log.say("agent_stdout", "again"))
    expect(log.messages()).not.toContain("again")
    await pass(1)
    expect(log.sentAt).toEqual([1, 3, 7, 15, 31, 86])
  })

  test("has a full batch sent at once, and all there is when it is asked to, and a new turn begins with the shortest pause", async () => {
    const log = startLog()
    await pass(32, () => log.say("agent_stdout", "and"))
    for (let i = 1; i < logBatchLines; i++) log.say("agent_stdout", "full")
    await pass(1)
    expect(log.sentAt).toEqual([1, 3, 7, 15, 31, 32])
    log.say("daemon", "The turn is over")
    await log.flush()
    expect(log.messages().at(-1)).toBe("The turn is over")
    await pass(4, () => log.say("agent_stdout", "next"))
    expect(log.sentAt.slice(6)).toEqual([33, 34, 36])
  })

  test("pauses after a burst too, of whose batches each is under way for a while", async () => {
    const log = startLog({ is_followed: false }, 20)
    for (let i = 0; i < 5 * logBatchLines; i++) log.say("agent_stdout", "burst")
    for (let i = 0; i < 100; i++) {
      await vi.advanceTimersByTimeAsync(5)
      log.say("agent_stdout", "and")
    }
    expect(log.sentAt).toEqual([0, 0.02, 0.04, 0.06, 0.08])
    await pass(30)
    expect(log.batches.map((batch) => batch.length)).toEqual([200, 200, 200, 200, 200, 100])
  })
})

describe("a log that somebody reads", () => {
  test.each([{ is_followed: true }, {}])("is sent once a second where the API says %j", async (answer) => {
    const log = startLog(answer)
    await pass(6, () => log.say("agent_stdout", "and"))
    expect(log.sentAt).toEqual([1, 2, 3, 4, 5, 6])
  })

  test("goes over to it with the next batch, and back again", async () => {
    const log = startLog()
    await pass(31, () => log.say("agent_stdout", "and"))
    log.answer.is_followed = true
    await pass(28, () => log.say("agent_stdout", "and"))
    log.answer.is_followed = false
    await pass(8, () => log.say("agent_stdout", "and"))
    expect(log.sentAt).toEqual([1, 3, 7, 15, 31, 56, 57, 58, 59, 60, 62, 66])
  })

  test("goes over to it with a heartbeat where nothing was said for a while", async () => {
    const log = startLog()
    await pass(31, () => log.say("agent_stdout", "and"))
    await pass(heartbeatSeconds)
    log.hear({ is_followed: true })
    await pass(1, () => log.say("agent_stdout", "news"))
    expect(log.messages().at(-1)).toBe("news")
  })
})
