import { describe, expect, test } from "vitest"
import { type Caller, newAccount, shared } from "#test/app.ts"
import { defaults, newAgent } from "#test/make.ts"

const app = shared()
const account = await newAccount(app)

const issuesOf = ({ body }: { body: { error: { issues: { path: string }[] } } }) => body.error.issues.map(({ path }) => path)

describe("PATCH /agents/{agentId}", () => {
  const patched = async (agent: { id: string }, body: object, caller: Caller = account) => {
    const answer = await caller.send(`PATCH /agents/${agent.id}`, body)
    expect(answer.status).toBe(200)
    return answer.body
  }

  test("200: name and description change in place", async () => {
    const agent = await newAgent(account)
    const after = await patched(agent, { name: "  Chief  ", description: "Decides." })
    expect(after).toEqual({ ...agent, name: "Chief", description: "Decides." })
    expect((await account.send(`GET /agents/${agent.id}`)).body).toEqual(after)
  })

  test("200: an empty change changes nothing", async () => {
    const agent = await newAgent(account, { description: "Writes." })
    expect(await patched(agent, {})).toEqual(agent)
  })

  test.each<[string, object, object]>([
    ["the prompt", { basePrompt: "Other." }, { basePrompt: "Other." }],
    ["the image", { runtime: { containerImage: "alpine:3" } }, { runtime: { containerImage: "alpine:3", agentRuntime: "pi" } }],
    ["the title instructions", { taskTitleInstructions: "Name it." }, { taskTitleInstructions: "Name it." }],
    ["the skills", { skills: [{ skill: "a/b" }] }, { skills: [{ skill: "a/b", sshKeyId: null }] }],
  ])("200: a change of %s makes the next version and keeps the rest", async (_, change, expected) => {
    const agent = await newAgent(account)
    const after = await patched(agent, change)
    expect(after.currentVersion).toEqual({
      ...agent.currentVersion,
      ...expected,
      number: 2,
      id: expect.any(String),
      createdAt: expect.any(String),
    })
    expect(after.currentVersion.id).not.toBe(agent.currentVersion.id)
    const before = await account.send(`GET /agents/${agent.id}/versions/${agent.currentVersion.id}`)
    expect(before.body).toEqual(agent.currentVersion)
  })

  test("200: null takes the title instructions away", async () => {
    const agent = await newAgent(account, { taskTitleInstructions: "Name it." })
    expect((await patched(agent, { taskTitleInstructions: null })).currentVersion.taskTitleInstructions).toBeNull()
  })

  test("200: defaults are replaced as a whole", async () => {
    const agent = await newAgent(account, { defaults: defaults({ weakModel: "haiku", softFinishAfterSeconds: 60 }) })
    const { currentVersion } = await patched(agent, { defaults: defaults({ model: "claude-opus-4-5" }) })
    expect(currentVersion.defaults).toMatchObject({ model: "claude-opus-4-5", weakModel: null, softFinishAfterSeconds: null })
  })

  describe("the provider's key", () => {
    const withoutKey = (overrides: object = {}) => defaults({ providerApiKey: undefined, ...overrides })
    const hasKey = async (agent: { id: string }, body: object) =>
      (await patched(agent, body)).currentVersion.defaults.hasProviderApiKey

    test("200: stays with the same provider when it is not given again", async () => {
      const agent = await newAgent(account)
      expect(await hasKey(agent, { defaults: withoutKey({ model: "claude-opus-4-5" }) })).toBe(true)
      expect(await hasKey(agent, { basePrompt: "Other." })).toBe(true)
    })

    test("200: stays when the account's default provider is named", async () => {
      const agent = await newAgent(account, { defaults: defaults({ provider: undefined }) })
      expect(await hasKey(agent, { defaults: withoutKey() })).toBe(true)
      expect(await hasKey(agent, { defaults: withoutKey({ provider: undefined }) })).toBe(true)
    })

    test("200: does not go along to another provider, nor come back from there", async () => {
      const agent = await newAgent(account)
      expect(await hasKey(agent, { defaults: withoutKey({ provider: "openai" }) })).toBe(false)
      expect(await hasKey(agent, { defaults: withoutKey() })).toBe(false)
    })
  })

  test("200: of changes at the same moment each is made, one after the other", async () => {
    const agent = await newAgent(account)
    const prompts = ["One.", "Two.", "Three.", "Four.", "Five.", "Six."]
    const answers = await Promise.all(prompts.map((basePrompt) => account.send(`PATCH /agents/${agent.id}`, { basePrompt })))
    expect(answers.map(({ status }) => status)).toEqual(prompts.map(() => 200))
    const { data } = (await account.send(`GET /agents/${agent.id}/versions`)).body
    expect(data.map(({ number }: { number: number }) => number)).toEqual([7, 6, 5, 4, 3, 2, 1])
    expect(data.map(({ basePrompt }: { basePrompt: string }) => basePrompt).sort()).toEqual(
      [...prompts, agent.currentVersion.basePrompt].sort(),
    )
  })

  test("200 or 412 precondition_failed: of changes at the same moment that ask for one state, only one is made", async () => {
    const agent = await newAgent(account)
    const tag = (await account.send(`GET /agents/${agent.id}`)).headers.get("etag")!
    const change = (name: string) => account.send(`PATCH /agents/${agent.id}`, { name }, { "if-match": tag })
    const answers = await Promise.all(["One", "Two", "Three", "Four"].map(change))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412, 412, 412])
    const { name } = (await account.send(`GET /agents/${agent.id}`)).body
    expect(name).toBe(answers.find(({ status }) => status === 200)!.body.name)
  })

  test.each<[string, object]>([
    ["name", { name: "" }],
    ["runtime.containerImage", { runtime: { containerImage: "Debian 12" } }],
    ["runtime.colour", { runtime: { colour: "red" } }],
    ["defaults.runtimeRegion", { defaults: defaults({ runtimeRegion: undefined }) }],
    ["defaults.softFinishAfterSeconds", { defaults: defaults({ softFinishAfterSeconds: 601 }) }],
    ["archivedAt", { archivedAt: null }],
  ])("422 invalid_request: a bad %s is named by its path, and nothing changes", async (path, change) => {
    const agent = await newAgent(account)
    const answer = await account.send(`PATCH /agents/${agent.id}`, { name: "Changed", ...change })
    expect(answer.status).toBe(422)
    expect(issuesOf(answer)).toEqual([path])
    expect((await account.send(`GET /agents/${agent.id}`)).body).toEqual(agent)
  })
})

describe("GET /agents/{agentId}/versions", () => {
  test("200: newest first, in pages", async () => {
    const agent = await newAgent(account)
    for (const basePrompt of ["Two.", "Three."]) await account.send(`PATCH /agents/${agent.id}`, { basePrompt })
    const first = await account.send(`GET /agents/${agent.id}/versions?limit=2`)
    expect(first.body.data.map(({ basePrompt }: { basePrompt: string }) => basePrompt)).toEqual(["Three.", "Two."])
    const second = await account.send(`GET /agents/${agent.id}/versions?limit=2&cursor=${first.body.pageInfo.nextCursor}`)
    expect(second.body).toEqual({ data: [agent.currentVersion], pageInfo: { hasMore: false, nextCursor: null } })
  })

  test("404 agent_not_found: an agent that is not there has no versions", async () => {
    const { status, body } = await account.send("GET /agents/agt_nothing/versions")
    expect(status).toBe(404)
    expect(body.error.code).toBe("agent_not_found")
  })
})

describe("GET /agents/{agentId}/versions/{versionId}", () => {
  test("404 version_not_found: a version of another agent is none of this one's", async () => {
    const [one, other] = [await newAgent(account), await newAgent(account)]
    const { status, body } = await account.send(`GET /agents/${one.id}/versions/${other.currentVersion.id}`)
    expect(status).toBe(404)
    expect(body.error.code).toBe("version_not_found")
  })

  test("404 agent_not_found: the agent comes first", async () => {
    const { status, body } = await account.send("GET /agents/agt_nothing/versions/agv_nothing")
    expect(status).toBe(404)
    expect(body.error.code).toBe("agent_not_found")
  })
})
