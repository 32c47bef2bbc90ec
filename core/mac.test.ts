import fc from "fast-check"
import { expect, test } from "vitest"
import { shared } from "#test/app.ts"
import { useAwsOf } from "#test/core-env.ts"
import { sign, verify } from "./mac.ts"

useAwsOf(shared())

const text = fc.string({ unit: "grapheme" })

test("what was signed is known again, for its purpose only", async () => {
  await fc.assert(
    fc.asyncProperty(text, text, text, async (purpose, other, said) => {
      const token = await sign(purpose, said)
      // Nothing says as much as a token that is not ours.
      if (said !== "") expect(await verify(purpose, token)).toBe(said)
      if (other !== purpose) expect(await verify(other, token)).toBeUndefined()
    }),
  )
})

test("a line break in a purpose or a text makes no other of them", async () => {
  expect(
    await verify("a", (await sign("a\nb", "c")).replace(/^[^.]+/, Buffer.from("b\nc").toString("base64url"))),
  ).toBeUndefined()
})

test("a token is the same each time, and fit for a header and a URL", async () => {
  const token = await sign("claim", '["acc_1","tsk_1","run_1"]')
  expect(await sign("claim", '["acc_1","tsk_1","run_1"]')).toBe(token)
  expect(token).toMatch(/^[\w-]+\.[\w-]{43}$/)
})

test.each(["", ".", "a", "a.", ".a", "a.b", "a.b.c", "YQ.YQ"])("%j is no token", async (token) => {
  expect(await verify("claim", token)).toBeUndefined()
})
