import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { newAccount } from "#test/app.ts"
import { items } from "#test/aws.ts"
import { type Container, claimedContainer, containerOf, stopContainer } from "#test/container.ts"
import { defaults } from "#test/make.ts"
import { type Script, type Step, startModelServer } from "#test/model-server.ts"
import { type OwnStack, ownStack } from "#test/stack.ts"

const key = "sk-ant-the-customers-own-key"
const hello: Step = { blocks: [{ text: "Hello, how are you?" }] }

let next: Script = [hello]
/** Answers the requests of a test in turn. */
const script = (...steps: Step[]) => {
  next = steps
}

let models: Awaited<ReturnType<typeof startModelServer>>
let app: OwnStack
let account: Awaited<ReturnType<typeof newAccount>>
let container: Container

/** An address where nobody listens: no system gives out such a port by itself. */
const nowhere = "http://127.0.0.9:999"

beforeAll(async () => {
  models = await startModelServer(() => (next as Step[]).shift() ?? hello)
  const env = { ANTHROPIC_BASE_URL: models.url, OPENAI_BASE_URL: `${models.url}/openai/v1`, OPENROUTER_BASE_URL: nowhere }
  app = await ownStack(env, undefined, { idle: true })
  account = await newAccount(app, { creditUsd: 100 })
  container = await withDefaults({ providerApiKey: key, weakModel: "haiku" })
})

beforeEach(() => {
  script()
  models.requests.splice(0)
})

afterAll(async () => {
  await app.stop()
  await models.close()
})

const withDefaults = (overrides: object, task: object = {}) =>
  claimedContainer(app, account, { agent: { defaults: defaults(overrides) }, task })

const question = (model = "claude-sonnet-4-5") => ({
  model,
  max_tokens: 100,
  stream: true,
  messages: [{ role: "user", content: "Hello? 🐭" }],
})

interface Ask {
  from?: Container
  path?: string
  method?: string
  body?: string | object
  headers?: Record<string, string>
}

const ask = ({ from = container, path = "anthropic/v1/messages", method = "POST", body = question(), headers = {} }: Ask = {}) =>
  fetch(`${app.apiUrl}/api/agent/models/${path}`, {
    method,
    redirect: "manual",
    headers: { authorization: `Bearer ${from.runToken}`, "content-type": "application/json", ...headers },
    ...(method === "GET" ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  })

const refusal = async (response: Response) => {
  const { error } = (await response.json()) as { error: { code: string; requestId: string } }
  expect(error.requestId).toBe(response.headers.get("x-request-id"))
  return [response.status, error.code]
}

const runOf = async ({ task, runId }: Container) => (await items(app, `${account.accountId}#${task.id}`, `run#${runId}`))[0]!

describe("what reaches the provider", () => {
  test("the request as it was, with the customer's key and nothing that opens anything of ours", async () => {
    const response = await ask({
      path: "anthropic/v1/messages?beta=true",
      headers: {
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "context-1m",
        "x-api-key": "whatever the agent runtime believes in",
        cookie: "session=1",
        "x-forwarded-for": "192.0.2.1",
      },
    })
    await response.text()
    expect(response.status).toBe(200)
    expect(models.requests).toHaveLength(1)
    const { method, url, headers, body } = models.requests[0]!
    expect({ method, url, body }).toEqual({ method: "POST", url: "/v1/messages?beta=true", body: question() })
    expect(headers).toMatchObject({
      "x-api-key": key,
      "anthropic-version": "2023-06-01",
      "anthropic-beta": "context-1m",
      "content-type": "application/json",
    })
    for (const name of ["authorization", "cookie", "x-forwarded-for"]) expect(headers).not.toHaveProperty(name)
    expect(JSON.stringify(headers)).not.toContain(container.runToken)
  })

  test("a request that was stored, since it is too large to come with its own: the bytes that lie there", async () => {
    const body = Buffer.from(JSON.stringify({ ...question(), system: "x".repeat(5 * 1024 ** 2) }))
    const { body: place } = await container.send("model-requests", { size_bytes: body.length })
    const stored = { headers: { "x-dormouse-stored-request": place.request_id }, body: "" }
    expect(await refusal(await ask(stored))).toEqual([422, "upload_incomplete"])

    const { "content-length": _, ...headers } = place.headers
    expect((await fetch(place.upload_url, { method: place.method, headers, body })).status).toBe(200)
    const response = await ask(stored)
    await response.text()
    expect(response.status).toBe(200)
    expect(models.requests.map((request) => JSON.stringify(request.body))).toEqual([body.toString()])
  })

  test("OpenAI gets its key as a bearer, below the path of its own address", async () => {
    const from = await withDefaults({ provider: "openai", providerApiKey: "sk-openai", model: "gpt-5" })
    for (const path of ["openai/responses", "openai/v1/responses"]) {
      await (await ask({ from, path, body: question("gpt-5") })).text()
    }
    expect(models.requests.map(({ url, headers }) => [url, headers.authorization])).toEqual([
      ["/openai/v1/responses", "Bearer sk-openai"],
      ["/openai/v1/responses", "Bearer sk-openai"],
    ])
  })

  test("the task's own key comes before the version's", async () => {
    const from = await withDefaults({ providerApiKey: key }, { overrides: { providerApiKey: "sk-of-the-task" } })
    await (await ask({ from })).text()
    expect(models.requests[0]!.headers["x-api-key"]).toBe("sk-of-the-task")
  })

  describe("the account's key", () => {
    let own: typeof account

    beforeEach(async () => {
      own = await newAccount(app)
      await own.send("PATCH /account", { providerApiKeys: { anthropic: "sk-account", openai: "sk-account-openai" } })
    })

    const claimed = (defaultsOf: object, task: object = {}) =>
      claimedContainer(app, own, { agent: { defaults: defaults(defaultsOf) }, task })
    const keysSent = () => models.requests.map(({ headers }) => headers["x-api-key"] ?? headers.authorization)

    test("comes last, after the task's and the version's", async () => {
      const overrides = { providerApiKey: "sk-task" }
      for (const from of [
        await claimed({ providerApiKey: "sk-version" }, { overrides }),
        await claimed({ providerApiKey: "sk-version" }),
        await claimed({ providerApiKey: undefined }),
      ])
        await (await ask({ from })).text()
      expect(keysSent()).toEqual(["sk-task", "sk-version", "sk-account"])
    })

    test("is sent without the spaces and line breaks that it was copied with", async () => {
      await own.send("PATCH /account", { providerApiKeys: { anthropic: "\tsk-account-copied\n" } })
      const copied = { providerApiKey: " sk-copied " }
      for (const from of [
        await claimed({ providerApiKey: undefined }),
        await claimed(copied),
        await claimed({}, { overrides: copied }),
      ])
        await (await ask({ from })).text()
      expect(keysSent()).toEqual(["sk-account-copied", "sk-copied", "sk-copied"])
    })

    test("reaches a task that runs already when it is replaced, and is missed when it is taken away", async () => {
      const from = await claimed({ providerApiKey: undefined })
      await own.send("PATCH /account", { providerApiKeys: { anthropic: "sk-new" } })
      await (await ask({ from })).text()
      expect(keysSent()).toEqual(["sk-new"])
      await own.send("PATCH /account", { providerApiKeys: { anthropic: null } })
      expect(await refusal(await ask({ from }))).toEqual([422, "provider_key_missing"])
    })

    test("is that of the provider that the task resolves to", async () => {
      await own.send("PATCH /account", { defaultProvider: "openai" })
      const from = await claimed({ provider: undefined, providerApiKey: undefined, model: "gpt-5" })
      expect(from.task.execution.provider).toBe("openai")
      await (await ask({ from, path: "openai/responses", body: question("gpt-5") })).text()
      expect(keysSent()).toEqual(["Bearer sk-account-openai"])
    })

    test("is used when a version's own key is for another provider than the account now prefers", async () => {
      const { task } = await claimed({ provider: undefined, providerApiKey: "sk-ant-version" })
      await own.send("PATCH /account", { defaultProvider: "openai" })
      await own.send(`PATCH /agents/${task.agentId}`, { basePrompt: "Other." })
      const { body } = await own.send(`POST /agents/${task.agentId}/tasks`, { instructions: "Write." })
      const from = await containerOf(app, own.accountId, body)
      await from.claim()
      await (await ask({ from, path: "openai/responses" })).text()
      expect(keysSent()).toEqual(["Bearer sk-account-openai"])
    })
  })

  test("a key stays in use when the defaults are replaced without it", async () => {
    const { task } = await withDefaults({ providerApiKey: key })
    const change = { defaults: defaults({ providerApiKey: undefined, model: "claude-opus-4-5" }) }
    await account.send(`PATCH /agents/${task.agentId}`, change)
    const { body } = await account.send(`POST /agents/${task.agentId}/tasks`, { instructions: "Write." })
    const from = await containerOf(app, account.accountId, body)
    await from.claim()
    await (await ask({ from, body: question("claude-opus-4-5") })).text()
    expect(models.requests[0]!.headers["x-api-key"]).toBe(key)
  })
})

describe("the answer", () => {
  test("200: comes chunk by chunk, as the provider sends it", async () => {
    const gates = Array.from({ length: 20 }, () => Promise.withResolvers<void>())
    script({ blocks: [{ text: "Hello" }], pause: (n) => gates[n]?.promise })
    gates[0]!.resolve()
    const response = await ask()
    expect(response.headers.get("content-type")).toBe("text/event-stream")
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    const read: string[] = []
    for (let n = 1; ; n++) {
      const { done, value } = await reader.read()
      if (done) break
      read.push(value)
      // The provider says nothing more until what it said has arrived.
      gates[n]?.resolve()
    }
    expect(read.length).toBeGreaterThan(4)
    const types = [...read.join("").matchAll(/^event: (\w+)$/gm)].map(([, type]) => type)
    expect([types[0], types.at(-1)]).toEqual(["message_start", "message_stop"])
  })

  test("200: its tokens are counted on the task", async () => {
    const from = await withDefaults({})
    script(
      { ...hello, usage: { input: 10, output: 20, cacheRead: 3, cacheWrite: 4 } },
      { ...hello, usage: { input: 100, output: 200, cacheRead: 30, cacheWrite: 40 } },
    )
    for (let i = 0; i < 2; i++) await (await ask({ from })).text()
    await from.send("complete", { result: null })
    expect((await account.send(`GET /tasks/${from.task.id}`)).body.tokenUsage).toEqual({
      inputTokens: 110,
      outputTokens: 220,
      cacheReadTokens: 33,
      cacheWriteTokens: 44,
      costUsd: 0,
    })
  })

  test("200: what was used until the provider hung up is counted too, and half an answer does not look whole", async () => {
    const from = await withDefaults({})
    script({ ...hello, usage: { input: 55 }, end: "cut" })
    await expect(ask({ from }).then((response) => response.text())).rejects.toThrow()
    await expect.poll(() => runOf(from), { timeout: 10_000 }).toMatchObject({ requests: 1, inputTokens: 55 })
  })

  test.each([
    [401, {}],
    [429, { "retry-after": "17" }],
    [529, {}],
    [500, { "retry-after-ms": "1700" }],
  ])("%i: the provider's refusal is passed on with what it says about trying again", async (status, headers) => {
    script({ status, error: "Not now.", headers })
    const response = await ask()
    expect(response.status).toBe(status)
    expect(Object.fromEntries(response.headers)).toMatchObject(headers)
    expect(await response.json()).toMatchObject({ error: { message: "Not now." } })
  })

  test("401: the key is not repeated to the agent by a provider that names it", async () => {
    script({ status: 401, error: `Incorrect API key provided: ${key}. And again: ${key}` })
    const text = await (await ask()).text()
    expect(text).not.toContain(key)
    expect(text).toContain("Incorrect API key provided: [key]. And again: [key]")
  })

  test("302: nobody is led away with the key", async () => {
    script({ status: 302, error: "Over there.", headers: { location: `${models.url}/elsewhere/messages` } })
    const response = await ask()
    expect([response.status, response.headers.get("location")]).toEqual([302, null])
    expect(models.requests).toHaveLength(1)
  })
})

describe("what never reaches the provider", () => {
  const untouched = () => expect(models.requests).toEqual([])

  test.each([["claude-opus-4-5"], ["claude-sonnet-4-5 "], [""]])("422 model_not_allowed: %j", async (model) => {
    expect(await refusal(await ask({ body: question(model) }))).toEqual([422, "model_not_allowed"])
    untouched()
  })

  test("200: the weak model is allowed", async () => {
    expect((await ask({ body: question("haiku") })).status).toBe(200)
  })

  test.each([
    ["no JSON", "model=claude-sonnet-4-5"],
    ["no model", { messages: [] }],
    ["a list", []],
    ["nothing", ""],
  ])("422 invalid_request: %s", async (_, body) => {
    expect(await refusal(await ask({ body }))).toEqual([422, "invalid_request"])
    untouched()
  })

  test.each([
    ["GET", "anthropic/v1/messages"],
    ["DELETE", "anthropic/v1/messages"],
    ["POST", "anthropic/v1/files"],
    ["POST", "anthropic/v1/messages/batches"],
    ["POST", "anthropic/v1/organizations/api_keys"],
    ["POST", "anthropic/v1/messages%2F..%2Ffiles"],
    ["POST", "anthropic/http://example.com/v1/messages"],
    ["POST", "anthropic//example.com/v1/messages"],
  ])("422 invalid_request: an agent may not call %s %s", async (method, path) => {
    expect(await refusal(await ask({ method, path }))).toEqual([422, "invalid_request"])
    untouched()
  })

  test.each(["openai/responses", "openrouter/chat/completions", "acme/v1/messages", "constructor/v1/messages"])(
    "422 provider_unknown: %s is not the task's provider",
    async (path) => {
      expect(await refusal(await ask({ path }))).toEqual([422, "provider_unknown"])
      untouched()
    },
  )

  test("422 provider_key_missing: nobody has given a key", async () => {
    const from = await withDefaults({ providerApiKey: undefined })
    expect(await refusal(await ask({ from }))).toEqual([422, "provider_key_missing"])
    untouched()
  })

  test("422 provider_key_missing: the version's key is not given to another provider", async () => {
    const from = await withDefaults({ providerApiKey: key }, { overrides: { provider: "openai", model: "gpt-5" } })
    const body = question("gpt-5")
    expect(await refusal(await ask({ from, path: "openai/responses", body }))).toEqual([422, "provider_key_missing"])
    untouched()
  })

  test("413 payload_too_large: over 4 MB", async () => {
    const body = { ...question(), system: "x".repeat(4 * 1024 ** 2) }
    expect(await refusal(await ask({ body }))).toEqual([413, "payload_too_large"])
    untouched()
  })

  test("502 provider_unreachable: the provider is down", async () => {
    const from = await withDefaults({ provider: "openrouter", model: "a/b" })
    const response = await ask({ from, path: "openrouter/chat/completions", body: question("a/b") })
    expect(await refusal(response)).toEqual([502, "provider_unreachable"])
  })

  test("409 lease_lost: a run that has ended asks nothing more", async () => {
    const from = await withDefaults({})
    await from.send("complete", { result: null })
    expect(await refusal(await ask({ from }))).toEqual([409, "lease_lost"])
    untouched()
  })

  test("409 lease_lost: nor does one whose container was lost", async () => {
    const from = await withDefaults({})
    await stopContainer(app, from)
    await expect.poll(() => runOf(from), { timeout: 10_000 }).toMatchObject({ status: "lost" })
    expect(await refusal(await ask({ from }))).toEqual([409, "lease_lost"])
    untouched()
  })

  test("401 unauthorized: the claim token is no run token", async () => {
    const { claimToken } = container
    expect(await refusal(await ask({ from: { ...container, runToken: claimToken } }))).toEqual([401, "unauthorized"])
    untouched()
  })
})
