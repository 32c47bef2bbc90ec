import fc from "fast-check"
import { Webhook as Standard } from "standardwebhooks"
import { Webhook as Svix } from "svix"
import { describe, expect, test } from "vitest"
import { newSecret, signed } from "./webhook-signature.ts"

const libraries = [
  ["standardwebhooks", Standard],
  ["svix", Svix],
] as const

/** What a receiver does with a library that signs and does not verify: what it signs itself is what has to have come. */
const verify = (headers: ReturnType<typeof signed>, theirs: string) => headers["webhook-signature"].split(" ").includes(theirs)

const requests = fc.record({
  id: fc.stringMatching(/^evt_[0-9A-Z]{1,26}$/),
  // Within what a receiver accepts.
  ago: fc.integer({ min: 0, max: 200 }),
  body: fc.oneof(
    fc.json(),
    fc.string({ unit: "grapheme" }).map((text) => JSON.stringify({ text })),
  ),
})

describe.each(libraries)("%s", (_, Library) => {
  test("verifies what we sign, with either secret while both sign, and with no other", () => {
    fc.assert(
      fc.property(requests, ({ id, ago, body }) => {
        const [before, after, other] = [newSecret(), newSecret(), newSecret()]
        const headers = signed(id, Math.floor(Date.now() / 1000) - ago, body, [after, before])
        for (const secret of [before, after]) expect(new Library(secret).verify(body, headers)).toEqual(JSON.parse(body))
        expect(() => new Library(other).verify(body, headers)).toThrow()
        expect(() => new Library(after).verify(`${body} `, headers)).toThrow()
        expect(() => new Library(after).verify(body, { ...headers, "webhook-id": `${id}0` })).toThrow()
      }),
    )
  })

  test("signs what we would accept: the same signature for the same secret, id, time and body, and for nothing else", () => {
    fc.assert(
      fc.property(requests, ({ id, ago, body }) => {
        const secret = newSecret()
        const seconds = Math.floor(Date.now() / 1000) - ago
        const theirs = new Library(secret).sign(id, new Date(seconds * 1000), body)
        expect(verify(signed(id, seconds, body, [secret]), theirs)).toBe(true)
        expect(verify(signed(id, seconds + 1, body, [secret]), theirs)).toBe(false)
        expect(verify(signed(id, seconds, `${body} `, [secret]), theirs)).toBe(false)
        expect(verify(signed(id, seconds, body, [newSecret()]), theirs)).toBe(false)
      }),
    )
  })
})
