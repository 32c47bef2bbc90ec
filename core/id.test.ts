import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { derivedId, newId } from "./id.ts"

describe("newId", () => {
  test("is the prefix of its kind and a ULID", () => {
    expect([newId("agent"), newId("task"), newId("run")]).toEqual([
      expect.stringMatching(/^agt_[0-9A-HJKMNP-TV-Z]{26}$/),
      expect.stringMatching(/^tsk_[0-9A-HJKMNP-TV-Z]{26}$/),
      expect.stringMatching(/^run_[0-9A-HJKMNP-TV-Z]{26}$/),
    ])
  })

  test("ids made one after the other sort that way, even within a millisecond", () => {
    const ids = Array.from({ length: 2_000 }, () => newId("task"))
    for (const [i, id] of ids.entries()) if (i > 0) expect(id > ids[i - 1]!).toBe(true)
  })
})

describe("derivedId", () => {
  test("is the same for the same parts, and looks like the others", () => {
    expect(derivedId("file", "tsk_1", "report.md")).toBe(derivedId("file", "tsk_1", "report.md"))
    expect(derivedId("file", "tsk_1", "report.md")).toMatch(/^file_[0-9A-HJKMNP-TV-Z]{26}$/)
  })

  test("differs where a part differs, or stands elsewhere", () => {
    const part = fc.string({ maxLength: 8 })
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 3 }), fc.array(part, { minLength: 1, maxLength: 3 }), (a, b) => {
        fc.pre(JSON.stringify(a) !== JSON.stringify(b))
        return derivedId("file", ...a) !== derivedId("file", ...b)
      }),
    )
    expect(derivedId("file", "a\nb")).not.toBe(derivedId("file", "a", "b"))
    expect(derivedId("file", "a")).not.toBe(derivedId("key", "a"))
  })
})
