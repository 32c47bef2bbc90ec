import { afterAll, beforeAll, expect, test } from "vitest"
import { newAccount } from "./app.ts"
import { claimedContainer } from "./container.ts"
import { type Operation, operations } from "./random/document.ts"
import { type OwnStack, ownStack } from "./stack.ts"
import { type Ids, makeThings, requestAbout, unknown } from "./things.ts"

// What every operation of the API costs: the capacity that it takes of the table, and what its function asks of AWS. An operation that
// is new or that costs otherwise than bench/golden/operations.json says has to be looked at before `vitest -u` writes it there.

let app: OwnStack
let account: Awaited<ReturnType<typeof newAccount>>
let things: Ids
/** For what can be done only with a thing in a certain state. */
let special: Record<string, Ids>

beforeAll(async () => {
  app = await ownStack({}, undefined, { idle: true })
  account = await newAccount(app)
  things = await makeThings(app, account)
  const sleeping = await claimedContainer(app, account)
  const until = new Date(Date.now() + 3_600_000).toISOString()
  await sleeping.send("release", { to: "hibernate", until, reason: "Nothing to do." })
  const ended = await claimedContainer(app, account)
  await ended.send("complete", { result: "Done." })
  special = {
    "POST /agents/{agentId}/fork": { agentId: "agt_standard_coding" },
    "POST /containers/{containerId}/fork": { containerId: "ctr_standard_coding" },
    "POST /tasks/{taskId}/wake": { taskId: sleeping.task.id },
    "DELETE /tasks/{taskId}": { taskId: ended.task.id },
  }
})

afterAll(() => app?.stop())

/** What can be undone comes after what it undoes, and what is within a thing before the thing. */
const inOrder = operations.toSorted((a, b) => rankOf(a) - rankOf(b))

function rankOf({ name }: Operation) {
  const method = ["GET", "POST", "PATCH", "DELETE"].indexOf(name.split(" ")[0]!)
  return 100 * method - (method === 3 ? name.split("/").length : 0)
}

interface Cost {
  readUnits: number
  writeUnits: number
  calls: Record<string, number>
}

/** What the functions of the API have used so far, as the embedded AWS counts it. */
function used(): Cost {
  const { units, used } = app.stack.counters
  const ours = [...units].filter(([step]) => step.startsWith("dormouse-api-")).map(([, each]) => each)
  const calls = [...used].filter(([role]) => role.includes("/dormouse-api-")).flatMap(([, actions]) => [...actions])
  return {
    readUnits: ours.reduce((sum, { read }) => sum + read, 0),
    writeUnits: ours.reduce((sum, { write }) => sum + write, 0),
    calls: Object.fromEntries(calls.reduce((sums, [action, n]) => sums.set(action, (sums.get(action) ?? 0) + n), new Map())),
  }
}

const difference = (before: Cost, after: Cost): Cost => ({
  readUnits: after.readUnits - before.readUnits,
  writeUnits: after.writeUnits - before.writeUnits,
  calls: Object.fromEntries(
    Object.entries(after.calls)
      .map(([action, n]): [string, number] => [action, n - (before.calls[action] ?? 0)])
      .filter(([, n]) => n > 0)
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  ),
})

/** The cost of the documented example. The function knows the key by then, as one that is in use does. */
async function costOf(operation: Operation) {
  await account.send(...requestAbout(operation, unknown))
  const before = used()
  const answer = await account.send(...requestAbout(operation, { ...things, ...special[operation.name] }))
  const cost = difference(before, used())
  expect(answer.status, `${operation.name}: ${JSON.stringify(answer.body)}`).toBeLessThan(300)
  return cost
}

test("every operation costs what the golden file says, one after the other", async () => {
  const costs: Record<string, Cost> = {}
  for (const operation of inOrder) costs[operation.name] = await costOf(operation)
  const sorted = Object.fromEntries(operations.map(({ name }) => [name, costs[name]]))
  await expect(`${JSON.stringify(sorted, null, 2)}\n`).toMatchFileSnapshot("../bench/golden/operations.json")
}, 120_000)
