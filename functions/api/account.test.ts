import { describe, expect, test } from "vitest"
import { as, newAccount, shared } from "#test/app.ts"
import { items } from "#test/aws.ts"
import { agentBody, defaults, newAgent } from "#test/make.ts"

const app = shared()

describe("GET /account", () => {
  test("200: a new account shows its credit, its billing mode and empty storage", async () => {
    const account = await newAccount(app, { creditUsd: 12.345678 })
    const { status, body } = await account.send("GET /account")
    expect(status).toBe(200)
    expect(body).toEqual({
      id: account.accountId,
      name: "Test",
      email: null,
      creditBalance: 12.345678,
      billingMode: "standard",
      fileStorage: { usedBytes: 0, reservedBytes: 0, quotaBytes: 10 * 1024 ** 3, isEnforced: true },
      checkpointStorage: { usedBytes: 0, quotaBytes: 20 * 1024 ** 3, isEnforced: true },
      runningTasks: { count: 0, quota: 100 },
      defaultProvider: "anthropic",
      hasProviderApiKey: { anthropic: false, openrouter: false, openai: false },
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    })
  })

  test("200: an account with an unlimited grant says so", async () => {
    const account = await newAccount(app, { creditUsd: 0, billingMode: "unlimited_grant" })
    const { body } = await account.send("GET /account")
    expect(body).toMatchObject({ billingMode: "unlimited_grant", creditBalance: 0 })
  })

  test("200: the scheme of the bearer header is read without regard to case", async () => {
    const account = await newAccount(app, { creditUsd: 0 })
    const { status } = await as(app).send("GET /account", undefined, { authorization: `bearer ${account.apiKey}` })
    expect(status).toBe(200)
  })

  test.each([
    ["another scheme", (key: string) => `Basic ${key}`],
    ["the key alone", (key: string) => key],
    ["one character less", (key: string) => `Bearer ${key.slice(0, -1)}`],
    ["something behind the key", (key: string) => `Bearer ${key} ${key}`],
    ["another prefix", (key: string) => `Bearer ${key.replace("ac_live_", "ac_test_")}`],
  ])("401 unauthorized: %s is no key", async (_, headerOf) => {
    const { apiKey } = await newAccount(app, { creditUsd: 0 })
    const { status, body } = await as(app).send("GET /account", undefined, { authorization: headerOf(apiKey) })
    expect(status).toBe(401)
    expect(body.error).toMatchObject({ code: "unauthorized", message: "Invalid or missing API key." })
  })
})

describe("PATCH /account", () => {
  const patched = async (account: Awaited<ReturnType<typeof newAccount>>, body: object) => {
    const answer = await account.send("PATCH /account", body)
    expect(answer.status).toBe(200)
    expect((await account.send("GET /account")).body).toEqual(answer.body)
    return answer.body
  }

  test("200: name, address and default provider change, null takes them away, and what is left out stays", async () => {
    const account = await newAccount(app, { creditUsd: 0 })
    const settings = { name: "Acme", email: "ops@example.com", defaultProvider: "openai" }
    expect(await patched(account, settings)).toMatchObject(settings)
    expect(await patched(account, {})).toMatchObject(settings)
    expect(await patched(account, { email: null, defaultProvider: null })).toMatchObject({
      name: "Acme",
      email: null,
      defaultProvider: "anthropic",
    })
  })

  test("200: providers' keys are shown as there or not, one by one, and never as they are", async () => {
    const account = await newAccount(app, { creditUsd: 0 })
    const secret = "sk-nobody-may-see-this"
    const first = await patched(account, { providerApiKeys: { anthropic: secret, openai: secret } })
    expect(first.hasProviderApiKey).toEqual({ anthropic: true, openrouter: false, openai: true })
    const second = await patched(account, { providerApiKeys: { openai: null, openrouter: secret } })
    expect(second.hasProviderApiKey).toEqual({ anthropic: true, openrouter: true, openai: false })
    const stored = await items(app, account.accountId)
    expect(stored.filter(({ sk }) => sk.startsWith("secret#"))).toHaveLength(2)
    expect(JSON.stringify([first, second, stored])).not.toContain(secret)
  })

  test("200: one account's settings are not another's", async () => {
    const [one, other] = [await newAccount(app, { creditUsd: 0 }), await newAccount(app, { creditUsd: 0 })]
    const before = (await other.send("GET /account")).body
    await patched(one, { defaultProvider: "openai", providerApiKeys: { openai: "sk-one" } })
    expect((await other.send("GET /account")).body).toEqual(before)
  })

  test.each<[string, object]>([
    ["email", { email: "nobody" }],
    ["defaultProvider", { defaultProvider: "acme" }],
    ["providerApiKeys.anthropic", { providerApiKeys: { anthropic: "" } }],
    ["providerApiKeys.openai", { providerApiKeys: { openai: " \n" } }],
    ["providerApiKeys.acme", { providerApiKeys: { acme: "sk" } }],
    ["creditBalance", { creditBalance: 1_000 }],
    ["billingMode", { billingMode: "unlimited_grant" }],
  ])("422 invalid_request: a bad %s is named by its path, and nothing changes", async (path, body) => {
    const account = await newAccount(app, { creditUsd: 0 })
    const before = (await account.send("GET /account")).body
    const answer = await account.send("PATCH /account", { name: "Changed", ...body })
    expect(answer.status).toBe(422)
    expect(answer.body.error.issues.map((issue: { path: string }) => issue.path)).toEqual([path])
    expect((await account.send("GET /account")).body).toEqual(before)
  })
})

describe("a provider's key that no request could carry", () => {
  test.each(["sk-ant-…", "sk-ant\u0000", "sk-ant\nx-more: 1", "sk ant", "sk-ähnlich"])("422 invalid_request: %j", async (key) => {
    const account = await newAccount(app)
    const { id } = await newAgent(account)
    const issues = [
      ["providerApiKeys.openrouter", await account.send("PATCH /account", { providerApiKeys: { openrouter: key } })],
      ["defaults.providerApiKey", await account.send("POST /agents", agentBody({ defaults: defaults({ providerApiKey: key }) }))],
      [
        "overrides.providerApiKey",
        await account.send(`POST /agents/${id}/tasks`, { instructions: "Write.", overrides: { providerApiKey: key } }),
      ],
    ] as const
    for (const [path, { status, body }] of issues) {
      const message = "A key is of printable ASCII characters, without spaces"
      expect([status, body.error.issues]).toEqual([422, [{ path, message }]])
    }
  })
})

describe("the operator", () => {
  const balance = async (account: Awaited<ReturnType<typeof newAccount>>) =>
    (await account.send("GET /account")).body.creditBalance

  test("grants the same credit once, however often it is sent", async () => {
    const account = await newAccount(app, { creditUsd: 0 })
    const grant = { operation: "grantCredit", accountId: account.accountId, usd: 5, grantId: "invoice-17" }
    await app.operate(grant)
    await app.operate(grant)
    expect(await balance(account)).toBe(5)
  })

  test("may take credit away, below zero too", async () => {
    const account = await newAccount(app, { creditUsd: 1 })
    await app.operate({ operation: "grantCredit", accountId: account.accountId, usd: -3.5, grantId: "correction" })
    expect(await balance(account)).toBe(-2.5)
  })

  test("cannot give credit to an account that is not there", async () => {
    const grant = { operation: "grantCredit", accountId: "acc_0000", usd: 5, grantId: "invoice-17" }
    await expect(app.operate(grant)).rejects.toThrow("There is no such account.")
  })

  test("cannot make a key for an account that is not there", async () => {
    const create = { operation: "createKey", accountId: "acc_0000" }
    await expect(app.operate(create)).rejects.toThrow("There is no such account.")
  })

  test("makes the account of a chosen key once, with its first credit", async () => {
    const { apiKey } = await newAccount(app, { creditUsd: 0 })
    const chosen = `ac_live_${apiKey.slice(-20)}`
    const ensure = { operation: "ensureAccount", apiKey: chosen, creditUsd: 20 }
    const first = await app.operate(ensure)
    expect(await app.operate(ensure)).toEqual(first)
    expect((await as(app, chosen).send("GET /account")).body).toMatchObject({ id: first.accountId, creditBalance: 20 })
  })

  test("cannot give one account's key to another", async () => {
    const [one, other] = [await newAccount(app, { creditUsd: 0 }), await newAccount(app, { creditUsd: 0 })]
    const create = { operation: "createKey", accountId: other.accountId, apiKey: one.apiKey }
    await expect(app.operate(create)).rejects.toThrow("apiKey: This key is in use")
    expect((await one.send("GET /account")).body.id).toBe(one.accountId)
  })
})
