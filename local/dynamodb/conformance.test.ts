import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { answerOf, codes, suites } from "./test/conformance.ts"
import { differences } from "./test/differences.ts"
import { type Dynoxide, program, startDynoxide } from "./test/dynoxide.ts"
import { type Served, serve } from "./testing.ts"

describe("our DynamoDB answers as DynamoDB does", () => {
  let ours: Served
  beforeAll(async () => {
    ours = await serve()
  })
  afterAll(() => ours.close())

  describe.each(Object.entries(suites))("%s", (_, cases) => {
    test.each(cases)("$name", async (one) => {
      expect(await answerOf(ours, one)).toEqual(one.back)
    })
  })
})

describe.runIf(program)("dynoxide, the second opinion, differs in nothing but what is listed", () => {
  let other: Dynoxide
  beforeAll(async () => {
    other = await startDynoxide()
  })
  afterAll(() => other.stop())

  test.each(Object.entries(suites))("%s", async (suite, cases) => {
    const different: string[] = []
    for (const one of cases) {
      const answer = codes(await answerOf(other, one))
      if (JSON.stringify(sorted(answer)) !== JSON.stringify(sorted(codes(one.back)))) different.push(one.name)
    }
    expect(different.sort()).toEqual(Object.keys(differences[suite] ?? {}).sort())
  })
})

/** The same, with the fields of every object in order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== "object" || value === null) return value
  const fields = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1))
  return Object.fromEntries(fields.map(([name, field]) => [name, sorted(field)]))
}
