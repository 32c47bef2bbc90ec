import { beforeAll, describe, expect, test } from "vitest"
import { type Answer, newAccount, shared } from "./app.ts"
import { type Operation, operations } from "./random/document.ts"
import { bodyWith, type Place, placesOf } from "./random/places.ts"
import { aboutOwn, type Ids, makeThings, requestAbout, thingOf, unknown } from "./things.ts"

// Two accounts that know each other's ids: in every place of every request where an id may stand, by the document.

const app = shared()
type Account = Awaited<ReturnType<typeof newAccount>>

const known: { account: Account; ids: Ids }[] = []
const swaps: [string, number, number][] = [
  ["the first with what is the second's", 0, 1],
  ["the second with what is the first's", 1, 0],
]

beforeAll(async () => {
  for (let i = 0; i < 2; i++) {
    const account = await newAccount(app)
    known.push({ account, ids: await makeThings(app, account) })
  }
})

const places = operations.flatMap((operation) =>
  placesOf(operation).map((place): [string, string, Operation, Place] => [operation.name, place.at, operation, place]),
)

test("ids stand in paths, in queries, in bodies and deep in bodies", () => {
  const found = places.map(([name, at]) => `${name}: ${at}`)
  for (const one of [
    "GET /agents/{agentId}: agentId",
    "GET /webhook-deliveries: webhookId",
    "POST /uploads/complete: uploadId",
    "PATCH /agents/{agentId}: skills.0.sshKeyId",
    "POST /agents/{agentId}/tasks: inputFileIds.0",
    "POST /agents/{agentId}/conversations: inputRepositories.0.repositoryId",
  ])
    expect(found).toContain(one)
})

describe.each(swaps)("%s", (_, mine, yours) => {
  test.each(places)("%s: another's %s is the same as nobody's", async (_name, _at, operation, place) => {
    const { account, ids } = known[mine]!
    const thing = thingOf(operation, place.name)
    const send = (id: string) => account.send(...requestWith(operation, place, ids, id))
    const [foreign, missing] = [known[yours]!.ids[thing]!, unknown[thing]!]
    expect(foreign).toBeTypeOf("string")

    const answer = await send(foreign)
    expect(refuses(answer, place), JSON.stringify(answer.body)).toBe(true)
    expect(without(answer, foreign)).toEqual(without(await send(missing), missing))
    // It was this one id: with the account's own in its place it is not said.
    if (place.in === "body") expect(refuses(await send(ids[thing]!), place)).toBe(false)
  })
})

test.each(places)("%s: a %s that is longer than any id is nobody's too", async (_name, _at, operation, place) => {
  const { account, ids } = known[0]!
  const answer = await account.send(...requestWith(operation, place, ids, "x".repeat(3_000)))
  expect(answer.status === 422 || refuses(answer, place), JSON.stringify(answer.body)).toBe(true)
})

test("neither account has lost or gained anything of the other's", async () => {
  for (const { account, ids } of known)
    for (const [name, id] of Object.entries(ids)) {
      const operation = operations.find((each) => new RegExp(`^GET .*/\\{${name}\\}$`).test(each.name))
      if (operation)
        expect((await account.send(...requestWith(operation, placesOf(operation).at(-1)!, ids, id))).status).toBe(200)
    }
})

let folders = 0

/** A request about an account's own things, but for the id in one place. */
function requestWith(operation: Operation, place: Place, ids: Ids, id: string): [string, unknown] {
  const thing = thingOf(operation, place.name)
  if (place.in === "path") return requestAbout(operation, { ...ids, [thing]: id })
  if (place.in === "query") return requestAbout(operation, ids, { query: { [place.name]: id } })
  const { [thing]: _, ...others } = ids
  const body = aboutOwn(bodyWith(operation, place, id), { ...others, mountingPoint: `folder${folders++}` })
  return requestAbout(operation, ids, { body })
}

/** Whether an answer says that there is no such thing: with a 404, with the place in the body, or with a list that has nothing. */
function refuses({ status, body }: Answer, place: Place) {
  if (place.in === "query" && status === 200) return body.data.length === 0
  const issues: { path: string }[] = body.error?.issues ?? []
  return status === 404 || (place.in === "body" && status === 422 && issues.some(({ path }) => path === place.at))
}

/** An answer without what is different in each. */
const without = ({ status, body }: Answer, id: string) => ({
  status,
  body: JSON.parse(JSON.stringify(body).replaceAll(id, "…"), (name, value) =>
    name === "requestId" ? undefined : value,
  ) as unknown,
})
