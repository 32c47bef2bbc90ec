import { randomUUID } from "node:crypto"
import { afterAll, beforeAll, expect, test } from "vitest"
import { AwsError } from "#local/service.ts"
import { useAwsAt } from "#test/core-env.ts"
import { serveJson } from "#test/json-services.ts"
import { moveTime } from "#test/time.ts"

// What DynamoDB does in a crowd, from a server in its place: an item takes one transaction at a time, and refuses the others.

const time = moveTime()
let refusals: { codes: string[] }[] = []
let asked: Record<string, unknown>[] = []
let dynamo: Awaited<ReturnType<typeof serveJson>>

beforeAll(async () => {
  const call = async (operation: string, input: Record<string, unknown>) => {
    expect(operation).toBe("TransactWriteItems")
    asked.push(input)
    const refusal = refusals.shift()
    if (!refusal) return {}
    const CancellationReasons = refusal.codes.map((Code) => ({ Code }))
    throw new AwsError("TransactionCanceledException", "Transaction cancelled", 400, { CancellationReasons })
  }
  dynamo = await serveJson({ target: "DynamoDB_20120810", contentType: "application/x-amz-json-1.0", call })
  useAwsAt(dynamo.client.endpoint)
})

afterAll(async () => {
  await dynamo.close()
  time.release()
})

/** Writes two items, of which so many tries are refused for these reasons. The clock runs ahead, since between tries is waited. */
const write = async (times: number, ...codes: string[]) => {
  const { transact } = await import("./transaction.ts")
  refusals = Array.from({ length: times }, () => ({ codes }))
  asked = []
  const key = () => ({ params: () => ({ TableName: "dormouse", Item: { pk: randomUUID(), sk: "task" } }) })
  let isDone = false
  const done = transact({ task: key(), event: key() })
    .catch(({ code }) => code)
    .finally(() => {
      isDone = true
    })
  const moved = () => {
    time.advance(isDone ? 0 : 500)
    return isDone
  }
  await expect.poll(moved, { interval: 10 }).toBe(true)
  return done
}

test.each(["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])(
  "%s: the same is written again, eleven times if need be, and each try has a token of its own",
  async (code) => {
    expect(await write(11, "None", code)).toEqual([])
    expect(asked).toHaveLength(12)
    expect(new Set(asked.map(({ TransactItems }) => JSON.stringify(TransactItems))).size).toBe(1)
    expect(new Set(asked.map(({ ClientRequestToken }) => ClientRequestToken)).size).toBe(12)
  },
)

test("a crowd that does not end is told as 503 unavailable, which is to be tried again", async () => {
  expect(await write(12, "TransactionConflict", "None")).toBe("unavailable")
})

test("a condition that does not hold is answered at once, also beside a conflict", async () => {
  expect(await write(1, "ConditionalCheckFailed", "TransactionConflict")).toEqual(["task"])
  expect(asked).toHaveLength(1)
})
