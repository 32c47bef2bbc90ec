import { randomUUID } from "node:crypto"
import { beforeAll, describe, expect, test } from "vitest"
import * as z from "zod"
import { takesKey } from "#functions/http/once.ts"
import { takesCondition } from "#functions/http/precondition.ts"
import type { Route } from "#functions/http/route.ts"
import { routesOf } from "#functions/http/routes.ts"
import { problemsOf } from "../openapi/conventions.ts"
import { type Answer, as, newAccount, shared } from "./app.ts"
import { type Container, claimedContainer, newContainer } from "./container.ts"
import { loseAnswer } from "./idempotency.ts"
import { agentBody } from "./make.ts"
import { type Ids, makeThings, thingOf, unknown } from "./things.ts"

/** What holds for every endpoint, asked of every endpoint there is. A new route is under these tests without a word here. */

const app = shared()
const routes = [...(await routesOf("api")), ...(await routesOf("agent")), ...(await routesOf("gateway"))]
const named = (chosen: Route[]) => chosen.map((route): [string, Route] => [route.name, route])

const idsIn = (route: Route) => [...route.name.matchAll(/\{(\w+)\}/g)].map(([, id]) => thingOf(route, id!))

const publicRoutes = routes.filter(({ door }) => door === "key")
const protectedRoutes = routes.filter(({ door }) => door !== "anybody")
const containerRoutes = routes.filter(({ door }) => door === "run" || door === "claim")
const withBody = routes.filter(({ body }) => body)
const withCursor = publicRoutes.filter(({ query }) => query instanceof z.ZodObject && "cursor" in query.shape)
const posts = publicRoutes.filter(takesKey)
const changes = publicRoutes.filter(takesCondition)
const withIds = publicRoutes.filter((route) => idsIn(route).length > 0)

type Account = Awaited<ReturnType<typeof newAccount>>

/** What must have happened before a route can do what its example says. */
const before: Record<string, string> = {
  "DELETE /agents/{agentId}/reference-files/{fileId}": "POST /agents/{agentId}/reference-files",
  "DELETE /agents/{agentId}/repositories/{repositoryId}": "POST /agents/{agentId}/repositories",
  "DELETE /ssh-keys/{sshKeyId}/repositories/{repositoryId}": "POST /ssh-keys/{sshKeyId}/repositories",
}

/** What there is without being made, and what alone can be forked. */
const standard = { agentId: "agt_standard_coding", containerId: "ctr_standard_coding" }
const isFork = ({ name }: Route) => name.endsWith("/fork")

const endedTask = async (account: Account) => {
  const ended = await claimedContainer(app, account)
  await ended.send("complete", { result: "Done." })
  return { taskId: ended.task.id }
}

/** An account with things of its own, for a request that changes them: no account may have as many as all routes together take. */
const thingsFor = async (route: Route): Promise<{ account: Account; ids: Ids }> => {
  const account = await newAccount(app)
  const first = routes.find(({ name }) => name === before[route.name])
  const ids = await thingsOf(account, new Set([...namesOf(route), ...(first ? namesOf(first) : [])]), route)
  if (first) await call(first, { ids, key: account.apiKey })
  return { account, ids }
}

const thingsOf = async (account: Account, names: Set<string>, route: Route): Promise<Ids> => {
  if (isFork(route)) return standard
  if (route.name === "DELETE /tasks/{taskId}") return endedTask(account)
  // One that sleeps is cancelled at once; where a container works, how far that has come changes from one answer to the next.
  if (/\/(wake|cancel)$/.test(route.name)) return asleep(account)
  return makeThings(app, account, names)
}

/** What a request to a route names: in its path, and anywhere in the body of its example. */
const namesOf = (route: Route): string[] => {
  const names = idsIn(route)
  JSON.stringify(exampleOf(route) ?? null, (name, value) => {
    if (/Ids?$/.test(name)) names.push(name.replace(/s$/, ""))
    return value
  })
  return names
}

const urlOf = (route: Route, ids: Ids) => {
  const path = route.name.split(" ")[1]!.replace("{provider}", "anthropic").replace("{proxy+}", "v1/messages")
  const method = route.method === "ANY" ? "POST" : route.method
  return `${method} ${path.replace(/\{(\w+)\}/g, (_, id: string) => wanted(ids, thingOf(route, id)))}`
}

const wanted = (ids: Ids, id: string) => {
  if (!ids[id]) throw new Error(`Say in makeThings how a thing with a {${id}} is made`)
  return ids[id]
}

const exampleOf = ({ body }: Route) => body?.meta()?.example

/** The documented body, about things that there are: an id in it stands for the thing of its kind, ids for one of them. */
const bodyOf = (route: Route, ids: Ids) =>
  JSON.parse(JSON.stringify(exampleOf(route) ?? null), (name, value) => {
    const one = name.replace(/s$/, "")
    return one in ids ? (Array.isArray(value) ? [ids[one]] : ids[one]) : value
  }) ?? undefined

const queryOf = ({ query }: Route) => {
  const example = query?.meta()?.example as Record<string, string> | undefined
  return example ? `?${new URLSearchParams(example)}` : ""
}

interface Call {
  ids?: Ids
  key?: string | undefined
  query?: string
  body?: unknown
  headers?: Record<string, string>
}

/** Calls a route, and holds every answer to what the route promises. */
const call = async (route: Route, given: Call): Promise<Answer> => {
  const { ids = unknown, key, query = queryOf(route), body = bodyOf(route, ids), headers = {} } = given
  const answer = await as(app, key).send(`${urlOf(route, ids)}${query}`, body, headers)
  const requestId = answer.headers.get("x-request-id")
  expect(requestId, "the request's id").toMatch(/\S/)
  if (answer.status >= 400) {
    expect(answer.body.error).toMatchObject({ message: expect.stringMatching(/\S/), requestId })
    expect(problemsOf(route)).toContain(answer.body.error.code)
  } else {
    const [status, schema] = route.returns
    expect(answer.status).toBe(status)
    if (schema instanceof z.ZodType) expect(schema.parse(answer.body)).toEqual(answer.body)
    if (schema === null) expect(answer.body).toBe("")
  }
  return answer
}

let own: Account
let other: Account
let ownThings: Ids = {}
let otherThings: Ids = {}
let container: Container

beforeAll(async () => {
  own = await newAccount(app, { creditUsd: 1_000 })
  other = await newAccount(app)
  ownThings = await makeThings(app, own)
  otherThings = await makeThings(app, other)
  container = await newContainer(app, own)
  await container.claim()
})

/** A task that hibernates. */
const asleep = async (account: Account): Promise<Ids> => {
  const sleeper = await claimedContainer(app, account)
  const until = new Date(Date.now() + 3_600_000).toISOString()
  await sleeper.send("release", { to: "hibernate", until, reason: "Nothing to do." })
  return { taskId: sleeper.task.id }
}

const keyFor = ({ door }: Route, { apiKey, runToken, claimToken } = { ...own, ...container }) =>
  ({ key: apiKey, run: runToken, claim: claimToken, anybody: undefined })[door]

test("there are routes of every kind", () => {
  for (const some of [publicRoutes, containerRoutes, withBody, withCursor, withIds]) expect(some.length).toBeGreaterThan(1)
})

describe.each(named(protectedRoutes))("%s", (_, route) => {
  test.each([
    ["no key", undefined],
    ["a key that nobody has", "ac_live_0000000000000000000000000000000000000000000"],
    ["something that is no key", "nonsense.nonsense"],
  ])("401 unauthorized: %s", async (_case, key) => {
    const { status, body } = await call(route, { key })
    expect(status).toBe(401)
    expect(body).toEqual({
      error: { code: "unauthorized", message: "Invalid or missing API key.", requestId: expect.any(String) },
    })
  })
})

describe.each(named(withBody))("%s", (_, route) => {
  test("the documented example is valid", () => {
    expect(exampleOf(route)).toBeTypeOf("object")
    expect(route.body!.safeParse(exampleOf(route)).error).toBeUndefined()
  })

  test("422 invalid_request: the example with a field that is not known", async () => {
    const ids = { ...ownThings, run_id: container.runId }
    const body = { ...(exampleOf(route) as object), fieldThatNobodyKnows: 1 }
    const { status, body: answer } = await call(route, { ids, key: keyFor(route), body })
    expect(status).toBe(422)
    expect(answer.error.code).toBe("invalid_request")
    expect(answer.error.issues).toEqual([{ path: "fieldThatNobodyKnows", message: expect.any(String) }])
  })
})

describe.each(named(withBody))("%s", (_, route) => {
  test("415 unsupported_media_type: a body that says it is something else than JSON", async () => {
    const ids = { ...ownThings, run_id: container.runId }
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"]) {
      const { status, body } = await call(route, { ids, key: keyFor(route), headers: { "content-type": type } })
      expect([status, body.error.code]).toEqual([415, "unsupported_media_type"])
    }
  })
})

test("413 payload_too_large: more than any request needs", async () => {
  const { status, body } = await own.send("POST /agents", JSON.stringify({ name: "x".repeat(4 * 1024 ** 2) }))
  expect([status, body.error.code]).toEqual([413, "payload_too_large"])
})

describe.each(named(posts))("%s", (_, route) => {
  const answered = ({ status, body }: Answer) => ({ status, body })
  const send = (key: string, { account, ids } = { account: own, ids: ownThings }) =>
    call(route, { ids, key: account.apiKey, headers: { "idempotency-key": key } })

  test("takes effect once for one Idempotency-Key, even where its answer was lost, and is answered the same each time", async () => {
    const key = randomUUID()
    const things = await thingsFor(route)
    const { accountId } = things.account
    const first = await send(key, things)
    expect(first.status).toBe(route.returns[0])
    expect(first.headers.get("idempotent-replayed")).toBeNull()

    const replayed = await send(key, things)
    expect(replayed.headers.get("idempotent-replayed")).toBe("true")
    expect(answered(replayed)).toEqual(answered(first))

    await loseAnswer(app, accountId, key)
    const resumed = await send(key, things)
    expect(resumed.headers.get("idempotent-replayed")).toBeNull()
    expect(answered(resumed)).toEqual(answered(first))

    await loseAnswer(app, accountId, key, { lockedForMs: 60_000 })
    const { status, body } = await send(key, things)
    expect([status, body.error.code]).toEqual([409, "idempotency_in_progress"])
  })

  test("422 idempotency_mismatch: the key of another request", async () => {
    const key = randomUUID()
    await own.send("POST /agents", agentBody({ name: randomUUID() }), { "idempotency-key": key })
    const { status, body } = await send(key)
    expect([status, body.error.code]).toEqual([422, "idempotency_mismatch"])
  })

  test("422 invalid_request: a key that is longer than any", async () => {
    const { status, body } = await send("k".repeat(256))
    expect(status).toBe(422)
    expect(body.error.issues).toEqual([{ path: "Idempotency-Key", message: expect.any(String) }])
  })
})

describe.each(named(changes))("%s", (_, route) => {
  test("412 precondition_failed where If-Match names another state, and goes through where it names the one that is there", async () => {
    const { account, ids } = await thingsFor(route)
    const reading = routes.find(({ method, resource }) => method === "GET" && resource === route.resource)
    const read = async () => reading && (await call(reading, { ids, key: account.apiKey }))
    const before = await read()
    const change = (tag: string) => call(route, { ids, key: account.apiKey, headers: { "if-match": tag } })

    const refused = await change('"of-some-other-state"')
    expect([refused.status, refused.body.error.code]).toEqual([412, "precondition_failed"])
    expect((await read())?.body).toEqual(before?.body)
    expect((await change(before?.headers.get("etag") ?? "*")).status).toBe(route.returns[0])
  })
})

describe.each(named(withCursor))("%s", (_, route) => {
  test("422 invalid_request: a cursor that we did not make", async () => {
    const { status, body } = await call(route, { ids: ownThings, key: own.apiKey, query: "?cursor=bm9uZQ.bm9uZQ" })
    expect(status).toBe(422)
    expect(body.error.issues).toEqual([{ path: "cursor", message: expect.any(String) }])
  })
})

describe.each(named(withIds))("%s", (_, route) => {
  const withoutId = ({ status, body: { error } }: Answer) => ({ status, error: { ...error, requestId: undefined } })

  test.each(idsIn(route).map((id, i) => [id, i] as const))(
    "404: another account's {%s} is the same as none, and nothing happens to it",
    async (id, i) => {
      const before = await own.send(`GET /agents/${ownThings.agentId}`)
      // Everything to the left of it is the caller's, so that only this one is foreign.
      const leftOf = Object.fromEntries(
        idsIn(route)
          .slice(0, i)
          .map((name) => [name, wanted(otherThings, name)]),
      )
      const foreign = await call(route, { ids: { ...ownThings, ...leftOf }, key: other.apiKey })
      const missing = await call(route, { ids: { ...otherThings, [id]: unknown[id]! }, key: other.apiKey })
      expect(foreign.status).toBe(404)
      expect(withoutId(foreign)).toEqual(withoutId(missing))
      expect((await own.send(`GET /agents/${ownThings.agentId}`)).body).toEqual(before.body)
    },
  )
})

describe.each(named(publicRoutes))("%s", (_, route) => {
  test("answers the documented example as documented", async () => {
    // What is changed is its own thing, so that the others have theirs as they were.
    const { account, ids } = route.method === "GET" ? { account: own, ids: ownThings } : await thingsFor(route)
    const { status } = await call(route, { ids, key: account.apiKey })
    expect(status).toBe(route.returns[0])
  })
})

describe.each(named(containerRoutes))("%s", (_, route) => {
  test("answers the documented example with what it promises", async () => {
    const fresh = route.door === "claim" ? await newContainer(app, own) : await claimedContainer(app, own)
    const ids = { run_id: fresh.runId, channel: fresh.task.id, file_id: "file_of_nobody" }
    // Names of a checkpoint's objects begin with the id of their run, which no example can know.
    const example = JSON.stringify(bodyOf(route, ids) ?? null).replaceAll("run_01/", `${fresh.runId}/`)
    const { status, body } = await call(route, {
      ids,
      body: route.body && example,
      key: keyFor(route, { ...own, ...fresh }),
    })
    if (route.body) expect(body.error?.code).not.toBe("invalid_request")
    expect(status).not.toBe(500)
  })
})

describe.each(named(containerRoutes.filter(({ name }) => name.includes("{run_id}"))))("%s", (_, route) => {
  test("403 foreign_run: a token is good for its own run only", async () => {
    const { status, body } = await call(route, {
      ids: { run_id: "run_of_somebody_else", file_id: "file_of_nobody" },
      key: container.runToken,
    })
    expect(status).toBe(403)
    expect(body.error.code).toBe("foreign_run")
  })
})
