import { expect, test } from "vitest"
import { AppendLogs, logBatchBytes, logLineCharacters } from "../../core/protocol.ts"
import { createLogs, type Line } from "./logs.ts"

/** A log whose batches are taken, each held to the protocol. */
const startLog = () => {
  const batches: Line[][] = []
  const refused: number[] = []
  const logs = createLogs({
    secrets: ["hunter2"],
    print: () => undefined,
    send: async (sequence, lines) => {
      expect(AppendLogs.safeParse({ sequence, lines }).error).toBeUndefined()
      expect(Buffer.byteLength(JSON.stringify({ sequence, lines }))).toBeLessThanOrEqual(logBatchBytes)
      expect(sequence).toBe(batches.push(lines) + refused.length)
      if (lines.some(({ message }) => message === "refuse me")) throw new Error("no")
    },
    onRefused: (_, lines) => refused.push(lines),
  })
  const messages = () => batches.flat().map(({ message }) => message)
  return { ...logs, batches, messages, refused }
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
