import { readdirSync, readFileSync } from "node:fs"
import { beforeAll, describe, expect, test } from "vitest"
import type { z } from "zod"
import { Input as Park } from "#functions/lifecycle/park.ts"
import { Input as Run } from "#functions/lifecycle/run.ts"
import { Input as Settle } from "#functions/lifecycle/settle.ts"
import { dropped, misfits, type Schema } from "./compatibility/misfits.ts"
import { type Endpoint, type Promised, promiseOf, states } from "./compatibility/promise.ts"

const folder = new URL("compatibility/golden/", import.meta.url)
const inputs: Record<string, z.ZodObject> = { Run, Park, Settle }
const kept = readdirSync(folder).map((file) => JSON.parse(readFileSync(new URL(file, folder), "utf8")) as Promised)

/** What today's endpoint does not keep of an old one. What a container said and says is heard by us, what we say by it. */
const broken = (old: Endpoint, today: Endpoint | undefined) => {
  if (!today) return ["it is gone"]
  const asked = (["body", "query"] as const).flatMap((part) => {
    const [before, now] = [old[part], today[part]]
    if (!before) return now?.required?.length ? [`${part} is required`] : []
    if (!now) return [`${part} is gone`]
    return [...misfits(before, now, part), ...dropped(before, now)]
  })
  if (!old.answer || !today.answer) return old.answer ? [...asked, "its answer is gone"] : asked
  return [...asked, ...misfits(today.answer, old.answer, "answer"), ...dropped(old.answer, today.answer)]
}

let today: Promised
beforeAll(async () => {
  today = await promiseOf("today")
})

describe.each(kept)(
  "what started on $date goes on: fields may be added, never renamed or dropped",
  ({ payloads, errors, endpoints }) => {
    test.each(Object.entries(payloads))("%s takes what its state sends", (state, payload) => {
      const input = inputs[state]!
      expect(input.safeParse(payload).error).toBeUndefined()
      expect(Object.keys(input.shape)).toEqual(expect.arrayContaining(Object.keys(payload)))
    })

    test.each(Object.entries(errors))("%s is told of nothing that its definition has no way for", (state, known) => {
      expect(today.errors[state]?.filter((error) => !known.includes(error))).toEqual([])
    })

    test.each(Object.entries(endpoints))("%s takes and answers what its container knows", (name, endpoint) => {
      expect(broken(endpoint, today.endpoints[name])).toEqual([])
    })
  },
)

describe("what there is today", () => {
  test("is frozen: `npm run freeze` where this fails", () => {
    const newest = kept.toSorted((a, b) => a.date.localeCompare(b.date)).at(-1)!
    expect(JSON.parse(JSON.stringify({ ...today, date: newest.date, about: newest.about }))).toEqual(newest)
  })

  test("has a payload of each state, with the fields that the state sends", () => {
    const sent = Object.fromEntries(states().map(([name, { Arguments }]) => [name, Object.keys(Arguments.Payload)]))
    expect(Object.fromEntries(Object.entries(today.payloads).map(([name, payload]) => [name, Object.keys(payload)]))).toEqual(
      sent,
    )
  })
})

describe("what would break a container of an earlier day is found", () => {
  const text = { type: "string" }
  const object = (properties: Schema["properties"], required: string[]): Schema => ({ type: "object", properties, required })
  const body = (properties: Schema["properties"], required: string[]) => ({
    ...object(properties, required),
    additionalProperties: false,
  })
  const old = { body: body({ a: text, b: text }, ["a"]), answer: object({ kind: { enum: ["x", "y"] }, note: text }, ["kind"]) }
  const answer = (properties: Schema["properties"], required = ["kind"]) => ({ ...old, answer: object(properties, required) })

  test.each<[string, Endpoint, string]>([
    ["an endpoint without its answer", { body: old.body }, "its answer is gone"],
    ["a field that is renamed", { ...old, body: body({ a: text, c: text }, ["a"]) }, "body.b is refused"],
    [
      "a field that is new and required",
      { ...old, body: body({ a: text, b: text, c: text }, ["a", "c"]) },
      "body.c may be missing",
    ],
    [
      "a text that is shorter",
      { ...old, body: body({ a: { ...text, maxLength: 1 }, b: text }, ["a"]) },
      "body.a has another maxLength",
    ],
    [
      "a number in place of a text",
      { ...old, body: body({ a: { type: "number" }, b: text }, ["a"]) },
      "body.a may be string and not only number",
    ],
    ["an answer with a new word", answer({ kind: { enum: ["x", "z"] }, note: text }), 'answer.kind may be "z"'],
    ["an answer whose field may be missing", answer({ kind: { enum: ["x"] }, note: text }, []), "answer.kind may be missing"],
    ["an answer without a field that may be missing", answer({ kind: { enum: ["x"] } }), ".note is gone"],
  ])("%s", (_, now, complaint) => {
    expect(broken(old, now)).toContain(complaint)
  })

  test("and what would not is let pass: a new field, fewer words in an answer, more room for a request", () => {
    const before = { ...old, body: body({ a: { ...text, maxLength: 5 }, b: text }, ["a"]) }
    const now = { ...answer({ kind: { enum: ["x"] }, note: text, more: text }), body: body({ a: text, b: text, c: text }, []) }
    expect(broken(before, now)).toEqual([])
  })
})
