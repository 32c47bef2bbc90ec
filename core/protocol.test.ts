import { readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import * as z from "zod"
import * as Protocol from "./protocol.ts"

const schemas = Object.entries<unknown>(Protocol).flatMap(([name, schema]) =>
  schema instanceof z.ZodType ? [[name, schema] as const] : [],
)
const withExample = schemas.filter(([, schema]) => schema.meta()?.example)

describe("what container and API say to each other", () => {
  test.each(withExample)("%s: its example is accepted, and a field that it does not know is not", (_, schema) => {
    const example = schema.meta()!.example as object
    expect(schema.safeParse(example).error).toBeUndefined()
    expect(schema.safeParse({ ...example, unknown: 1 }).success).toBe(false)
  })

  test.each(["0", "20", 7])("a recv may wait %s seconds", (wait) => {
    expect(Protocol.Receive.parse({ wait, turn: "1" })).toEqual({ wait: Number(wait), turn: 1, after: 0 })
  })

  test.each([{ turn: 1, wait: 21 }, { turn: 1, wait: -1 }, { turn: -1 }, { turn: 1, after: 0.5 }])(
    "a recv may not ask for %j",
    (query) => {
      expect(Protocol.Receive.safeParse(query).success).toBe(false)
    },
  )

  test("whoever talks needs no heartbeat, since the longest pause of its log is shorter; and each batch after it renews the lease", () => {
    expect(Protocol.logPauseSeconds.longest).toBeLessThan(Protocol.heartbeatSeconds)
    expect(Protocol.logPauseSeconds.longest).toBeGreaterThan(Protocol.renewalSeconds)
  })

  test("the bill is made from the same seconds (npm run bench:counts)", () => {
    const read = (path: string) => JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8"))
    const { seconds } = read("../bench/golden/counts.json")
    const { functions } = read("../infra/wiring.json")
    expect(seconds).toEqual({
      heartbeat: Protocol.heartbeatSeconds,
      renewal: Protocol.renewalSeconds,
      shortestLogPause: Protocol.logPauseSeconds.shortest,
      longestLogPause: Protocol.logPauseSeconds.longest,
      usage: Protocol.usagePauseSeconds,
      receive: Protocol.receiveSeconds,
      warm: Number(functions["dormouse-agent-tasks"].environment.WARM_SECONDS),
    })
  })
})
