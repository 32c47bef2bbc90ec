import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { shared } from "#test/app.ts"
import { useAwsOf } from "#test/core-env.ts"
import { cut, load, store } from "./text.ts"

useAwsOf(shared())

describe("a stored text", () => {
  test.each([
    ["nothing", ""],
    ["as much as a row holds", "x".repeat(4_096)],
    ["one byte more", "x".repeat(4_097)],
    ["a hundred thousand characters of several bytes", "🐭ü".repeat(33_333)],
    ["what looks like a place", "s3:texts/acc_2/secret"],
    ["what looks like itself", "inline:x"],
  ])("comes back whole: %s", async (_, text) => {
    expect(await load(await store("acc_1", text))).toBe(text)
  })

  test("lies in its row up to 4 KB, above that in an object of its account", async () => {
    expect(await store("acc_1", "ü".repeat(2_048))).toMatch(/^inline:/)
    expect(await store("acc_1", "ü".repeat(2_049))).toMatch(/^s3:texts\/acc_1\/[0-9a-f]{64}$/)
  })

  test("is stored once for the same text, and apart for each account", async () => {
    const text = "x".repeat(5_000)
    expect(await store("acc_1", text)).toBe(await store("acc_1", text))
    expect(await store("acc_2", text)).not.toBe(await store("acc_1", text))
  })
})

/** With halves of characters too. */
const anyText = fc.array(fc.integer({ min: 0xd7ff, max: 0xe000 })).map((units) => String.fromCharCode(...units))

test("a cut text is the beginning of it, no longer than was asked for and with whole characters only", () => {
  fc.assert(
    fc.property(anyText, fc.nat(20), (text, length) => {
      const short = cut(text, length)
      expect(text.startsWith(short)).toBe(true)
      expect(short.length).toBeLessThanOrEqual(length)
      expect(short.length).toBeGreaterThanOrEqual(Math.min(text.length, length) - 1)
      if (text.isWellFormed()) expect(short.isWellFormed()).toBe(true)
    }),
  )
})
