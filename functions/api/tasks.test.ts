import { describe, expect, test } from "vitest"
import { newAccount, shared } from "#test/app.ts"
import { claimedContainer } from "#test/container.ts"
import { agentBody, defaults, newAgent, newTask } from "#test/make.ts"

const app = shared()
const account = await newAccount(app, { creditUsd: 100 })
const agent = await newAgent(account)
const url = `/agents/${agent.id}/tasks`

const issuesOf = ({ body }: { body: { error: { issues: { path: string }[] } } }) => body.error.issues.map(({ path }) => path)
const idsOf = ({ body }: { body: { data: { id: string }[] } }) => body.data.map(({ id }) => id)
const balanceOf = async (owner: typeof account): Promise<number> => (await owner.send("GET /account")).body.creditBalance

describe("POST /agents/{agentId}/tasks", () => {
  test("201: answers the task, pending and whole", async () => {
    const { status, body } = await account.send(`POST ${url}`, { instructions: "  Write the report.\nIn English.  " })
    expect(status).toBe(201)
    expect(body).toEqual({
      id: expect.stringMatching(/^tsk_[0-9A-Z]{26}$/),
      agentId: agent.id,
      agentName: "Reporter",
      agentVersionId: agent.currentVersion.id,
      containerVersionId: null,
      runtime: { containerImage: "debian:12", agentRuntime: "pi" },
      status: "pending",
      mode: "autonomous",
      turnStatus: null,
      turnNumber: null,
      sessionTtlSeconds: null,
      statusReason: null,
      hibernateUntilAt: null,
      title: "Write the report.",
      instructions: "Write the report.\nIn English.",
      runtimeRegion: "any",
      overrides: {},
      execution: { provider: "anthropic", model: "claude-sonnet-4-5", weakModel: "claude-sonnet-4-5" },
      skills: [],
      metadata: {},
      createdAt: expect.stringMatching(/Z$/),
      startedAt: null,
      completedAt: null,
      result: null,
      error: null,
      costUsd: null,
      containerMinutes: null,
      tokenUsage: null,
    })
    expect((await account.send(`GET /tasks/${body.id}`)).body).toEqual(body)
  })

  test("201: overrides are echoed as they were given, and decide what is run", async () => {
    const overrides = {
      basePrompt: "You are brief.",
      provider: "openai",
      runtime: "pi",
      model: "gpt-5",
      weakModel: "gpt-5-mini",
      internetAccess: true,
      maxRuntimeSeconds: 120,
      maxRuntimePerTurnSeconds: 60,
      sessionTtlSeconds: 60,
      softFinishAfterSeconds: 100,
      hibernationEnabled: false,
      maxTimePerHibernationCycle: 60,
      maxAccumulatedTime: 120,
      outputPolicy: { mode: "named", files: [{ name: "report.md" }] },
      runtimeRegion: "eu",
    }
    const task = await newTask(account, agent.id, { overrides: { ...overrides, providerApiKey: "sk-another" } })
    expect(task.overrides).toEqual({ ...overrides, hasProviderApiKey: true })
    expect(task).toMatchObject({
      runtimeRegion: "eu",
      execution: { provider: "openai", model: "gpt-5", weakModel: "gpt-5-mini" },
    })
  })

  test("201: what is not overridden comes from the version", async () => {
    const other = await newAgent(account, { defaults: defaults({ provider: "openrouter", weakModel: "haiku" }) })
    const [plain, changed] = [
      await newTask(account, other.id),
      await newTask(account, other.id, { overrides: { model: "other/model" } }),
    ]
    expect(plain.execution).toEqual({ provider: "openrouter", model: "claude-sonnet-4-5", weakModel: "haiku" })
    expect(changed.execution).toEqual({ provider: "openrouter", model: "other/model", weakModel: "haiku" })
  })

  test("201: another provider is not asked for the weak model of the version's", async () => {
    const own = await newAccount(app)
    const execution = async (given: object, overrides: object) =>
      (await newTask(own, (await newAgent(own, { defaults: defaults({ weakModel: "haiku", ...given }) })).id, { overrides }))
        .execution
    const [gpt, mini] = [{ provider: "openai", model: "gpt-5" }, { weakModel: "gpt-5-mini" }]
    expect(await execution({}, gpt)).toEqual({ ...gpt, weakModel: "gpt-5" })
    expect(await execution({}, { ...gpt, ...mini })).toEqual({ ...gpt, ...mini })
    expect((await execution({}, { provider: "anthropic" })).weakModel).toBe("haiku")
    // A version that names no provider is for the account's.
    expect((await execution({ provider: undefined }, { provider: "anthropic" })).weakModel).toBe("haiku")
    expect(await execution({ provider: undefined }, gpt)).toEqual({ ...gpt, weakModel: "gpt-5" })
  })

  test("201: a task may be given to an earlier version", async () => {
    const other = await newAgent(account)
    await account.send(`PATCH /agents/${other.id}`, { runtime: { containerImage: "alpine:3" } })
    const task = await newTask(account, other.id, { versionId: other.currentVersion.id })
    expect(task).toMatchObject({
      agentVersionId: other.currentVersion.id,
      runtime: { containerImage: "debian:12", agentRuntime: "pi" },
    })
    expect((await newTask(account, other.id)).runtime.containerImage).toBe("alpine:3")
  })

  test("201: no later change of the agent reaches a task", async () => {
    const other = await newAgent(account)
    const task = await newTask(account, other.id)
    await account.send(`PATCH /agents/${other.id}`, agentBody({ name: "Changed", defaults: defaults({ model: "other" }) }))
    await account.send(`DELETE /agents/${other.id}`)
    const { body } = await account.send(`GET /tasks/${task.id}`)
    const { agentName, agentVersionId, runtime, execution } = task
    expect(body).toMatchObject({ agentName, agentVersionId, runtime, execution })
  })

  test("201: the older name of instructions is taken for them", async () => {
    const { status, body } = await account.send(`POST ${url}`, { description: " Write.\nShortly. " })
    expect(status).toBe(201)
    expect(body).toMatchObject({ instructions: "Write.\nShortly.", title: "Write." })
  })

  test("201: 100,000 characters of instructions come back whole", async () => {
    const instructions = `First.\n${"ü".repeat(99_993)}`
    const { id } = await newTask(account, agent.id, { instructions })
    expect((await account.send(`GET /tasks/${id}`)).body.instructions).toBe(instructions)
  })

  test("201: the title is the first line with something in it, cut to 120 characters", async () => {
    expect((await newTask(account, agent.id, { instructions: "x\n \n" })).title).toBe("x")
    const { title } = await newTask(account, agent.id, { instructions: `${"x".repeat(200)}\nMore.` })
    expect(title).toBe(`${"x".repeat(119)}…`)
    expect((await newTask(account, agent.id, { instructions: "🐭".repeat(200) })).title.isWellFormed()).toBe(true)
  })

  test.each<[string, object]>([
    ["every type of JSON", { text: "", number: -1.5, yes: true, nothing: null, list: [[], {}], "": { "": 1 } }],
    ["numbers that the table does not know, and names of JavaScript", { large: 1e300, small: 1e-300, constructor: 1, length: 2 }],
    ["the name of JavaScript that is refused at the top", JSON.parse('{"toString":1,"in":{"__proto__":{"x":1}}}')],
    ["sixteen kilobytes", { text: "x".repeat(16 * 1024 - '{"text":""}'.length) }],
    ["a depth of a thousand", JSON.parse(`${'{"a":'.repeat(1_000)}1${"}".repeat(1_000)}`)],
  ])("201: metadata comes back as it was: %s", async (_, metadata) => {
    const { id } = await newTask(account, agent.id, { metadata })
    expect((await account.send(`GET /tasks/${id}`)).body.metadata).toEqual(metadata)
  })

  describe("credit", () => {
    test("201: exactly half a dollar is held back", async () => {
      const own = await newAccount(app, { creditUsd: 1.25 })
      await newTask(own, (await newAgent(own)).id)
      expect(await balanceOf(own)).toBe(0.75)
    })

    test("402 insufficient_credit: below half a dollar nothing starts and nothing is taken", async () => {
      const own = await newAccount(app, { creditUsd: 0.499999 })
      const { id } = await newAgent(own)
      const { status, body } = await own.send(`POST /agents/${id}/tasks`, { instructions: "Write." })
      expect(status).toBe(402)
      expect(body.error.code).toBe("insufficient_credit")
      expect(await balanceOf(own)).toBe(0.499999)
      expect(idsOf(await own.send(`GET /agents/${id}/tasks`))).toEqual([])
    })

    test("402 insufficient_credit: no more tasks start at the same moment than are paid for", async () => {
      const own = await newAccount(app, { creditUsd: 1 })
      const { id } = await newAgent(own)
      const answers = await Promise.all([1, 2, 3, 4].map((n) => own.send(`POST /agents/${id}/tasks`, { instructions: `${n}` })))
      expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 201, 402, 402])
      expect(await balanceOf(own)).toBe(0)
    })

    test("201: an account with an unlimited grant is neither blocked nor charged", async () => {
      const own = await newAccount(app, { creditUsd: 0, billingMode: "unlimited_grant" })
      await newTask(own, (await newAgent(own)).id)
      expect(await balanceOf(own)).toBe(0)
    })
  })

  test.each<[string, object]>([
    ["instructions", { instructions: undefined }],
    ["instructions", { instructions: " \n " }],
    ["instructions", { instructions: "x".repeat(100_001) }],
    ["instructions", { instructions: ["Write."] }],
    ["description", { description: "The name of instructions in an earlier API" }],
    ["metadata", { metadata: [] }],
    ["metadata", { metadata: "x" }],
    ["metadata", { metadata: { text: "x".repeat(16 * 1024 - '{"text":""}'.length + 1) } }],
    ["metadata.__proto__", { metadata: JSON.parse('{"__proto__":{"x":1},"toString":1}') }],
    ["versionId", { versionId: 1 }],
    ["inputFileIds", { inputFileIds: Array.from({ length: 51 }, () => "file_1") }],
    ["inputFileIds.0", { inputFileIds: ["file_nothing"] }],
    ["inputRepositories.0.tag", { inputRepositories: [{ repositoryId: "repo_1", mountingPoint: "app" }] }],
    ["inputRepositories.0.colour", { inputRepositories: [{ repositoryId: "r", tag: "t", mountingPoint: "m", colour: "red" }] }],
    [
      "inputRepositories.0.repositoryId",
      { inputRepositories: [{ repositoryId: "repo_nothing", tag: "main", mountingPoint: "app" }] },
    ],
    ["skills.0.skill", { skills: [{ skill: "./x" }] }],
    ["skills.0.sshKeyId", { skills: [{ skill: "a/b", sshKeyId: "ssh_nothing" }] }],
    ["skills.0.colour", { skills: [{ skill: "a/b", colour: "red" }] }],
    ["colour", { colour: "red" }],
    ["overrides.colour", { overrides: { colour: "red" } }],
    ["overrides.mode", { overrides: { mode: "conversation" } }],
    ["overrides.outputPolicy.colour", { overrides: { outputPolicy: { mode: "any", colour: "red" } } }],
    ["overrides.maxRuntimeSeconds", { overrides: { maxRuntimeSeconds: 86_401 } }],
    ["overrides.softFinishAfterSeconds", { overrides: { maxRuntimeSeconds: 100, softFinishAfterSeconds: 101 } }],
    ["overrides.softFinishAfterSeconds", { overrides: { softFinishAfterSeconds: 601 } }],
  ])("422 invalid_request: a bad %s is named by its path", async (path, overrides) => {
    const answer = await account.send(`POST ${url}`, { instructions: "Write.", ...overrides })
    expect(answer.status).toBe(422)
    expect(answer.body.error.code).toBe("invalid_request")
    expect(answer.body.error.issues).toEqual([{ path, message: expect.stringMatching(/./) }])
  })

  test("201: the soft finish may be as late as the end", async () => {
    const both = { maxRuntimeSeconds: 123, softFinishAfterSeconds: 123 }
    expect((await newTask(account, agent.id, { overrides: both })).overrides).toEqual(both)
    expect((await newTask(account, agent.id, { overrides: { softFinishAfterSeconds: 600 } })).status).toBe("pending")
  })

  test("422 invalid_request: metadata of any depth is refused by its size, not by falling over it", async () => {
    const depth = 100_000
    const text = `{"instructions":"Write.","metadata":${'{"a":'.repeat(depth)}1${"}".repeat(depth)}}`
    const answer = await account.send(`POST ${url}`, text)
    expect(answer.status).toBe(422)
    expect(issuesOf(answer)).toEqual(["metadata"])
  })

  test("422 internet_access_required: a container without a network is said to be impossible here", async () => {
    const closed = await newAgent(account, { defaults: defaults({ internetAccess: false }) })
    const answers = [
      await account.send(`POST /agents/${closed.id}/tasks`, { instructions: "Write." }),
      await account.send(`POST ${url}`, { instructions: "Write.", overrides: { internetAccess: false } }),
    ]
    for (const { status, body } of answers) {
      expect(status).toBe(422)
      expect(body.error.code).toBe("internet_access_required")
    }
    await newTask(account, closed.id, { overrides: { internetAccess: true } })
  })

  test("422 agent_archived: an archived agent takes no new tasks, and nothing is held back", async () => {
    const archived = await newAgent(account)
    await account.send(`DELETE /agents/${archived.id}`)
    const before = await balanceOf(account)
    const { status, body } = await account.send(`POST /agents/${archived.id}/tasks`, { instructions: "Write." })
    expect(status).toBe(422)
    expect(body.error.code).toBe("agent_archived")
    expect(await balanceOf(account)).toBe(before)
  })

  test("404 agent_not_found: nobody is there to do it", async () => {
    const { status, body } = await account.send("POST /agents/agt_nothing/tasks", { instructions: "Write." })
    expect(status).toBe(404)
    expect(body.error.code).toBe("agent_not_found")
  })

  test("404 version_not_found: a version of another agent cannot be run", async () => {
    const { currentVersion } = await newAgent(account)
    const { status, body } = await account.send(`POST ${url}`, { instructions: "Write.", versionId: currentVersion.id })
    expect(status).toBe(404)
    expect(body.error.code).toBe("version_not_found")
  })
})

describe("GET /tasks/{taskId}", () => {
  test.each(["tsk_01M81PTVJBGYG3MBEQWZ1ZREJ0", "agt_1", "x".repeat(3_000), "%00", "a%23task"])(
    "404 task_not_found: %s",
    async (id) => {
      const { status, body } = await account.send(`GET /tasks/${id}`)
      expect(status).toBe(404)
      expect(body.error).toMatchObject({ code: "task_not_found", message: "There is no such task." })
    },
  )
})

describe("GET /agents/{agentId}/tasks", () => {
  test("200: pages go from the newest to the oldest and hold still while others write", async () => {
    const { id } = await newAgent(account)
    const made: string[] = []
    for (let i = 0; i < 3; i++) made.unshift((await newTask(account, id)).id)
    const first = await account.send(`GET /agents/${id}/tasks?limit=2`)
    expect(idsOf(first)).toEqual(made.slice(0, 2))
    await newTask(account, id)
    const second = await account.send(`GET /agents/${id}/tasks?limit=2&cursor=${first.body.pageInfo.nextCursor}`)
    expect(idsOf(second)).toEqual(made.slice(2))
    expect(second.body.pageInfo).toEqual({ hasMore: false, nextCursor: null })
  })

  test("200: shows tasks as they are read one by one, of this agent only", async () => {
    const { id } = await newAgent(account)
    const task = await newTask(account, id, { metadata: { ticket: 7 } })
    expect((await account.send(`GET /agents/${id}/tasks`)).body.data).toEqual([task])
  })

  test("200: status and mode choose", async () => {
    const { task: running } = await claimedContainer(app, account)
    const pending = await newTask(account, running.agentId)
    const list = async (query: string) => idsOf(await account.send(`GET /agents/${running.agentId}/tasks?${query}`))
    expect(await list("status=pending")).toEqual([pending.id])
    expect(await list("status=running")).toEqual([running.id])
    expect(await list("status=finished")).toEqual([])
    expect(await list("mode=autonomous")).toEqual([pending.id, running.id])
    expect(await list("mode=conversation")).toEqual([])
    expect(await list("status=running&mode=autonomous")).toEqual([running.id])
    expect(await list("status=running&mode=conversation")).toEqual([])
  })

  test("200: a page that is filtered is as full as one that is not", async () => {
    const { task: running } = await claimedContainer(app, account)
    for (let i = 0; i < 3; i++) await newTask(account, running.agentId)
    const { body } = await account.send(`GET /agents/${running.agentId}/tasks?status=running&limit=1`)
    expect(body.data.map(({ id }: { id: string }) => id)).toEqual([running.id])
    expect(body.pageInfo).toEqual({ hasMore: false, nextCursor: null })
  })

  test.each([
    ["status", "status=done"],
    ["mode", "mode=chat"],
    ["limit", "limit=0"],
    ["cursor", "cursor=nonsense"],
    ["colour", "colour=red"],
  ])("422 invalid_request: a bad %s", async (path, query) => {
    const answer = await account.send(`GET ${url}?${query}`)
    expect(answer.status).toBe(422)
    expect(issuesOf(answer)).toEqual([path])
  })

  test("422 invalid_request: the cursor of one filter is none of another", async () => {
    const { id } = await newAgent(account)
    for (let i = 0; i < 2; i++) await newTask(account, id)
    const { body } = await account.send(`GET /agents/${id}/tasks?limit=1&mode=autonomous`)
    const answer = await account.send(`GET /agents/${id}/tasks?limit=1&cursor=${body.pageInfo.nextCursor}`)
    expect(answer.status).toBe(422)
    expect(issuesOf(answer)).toEqual(["cursor"])
  })

  test("404 agent_not_found: an agent that is not there has no tasks", async () => {
    const { status, body } = await account.send("GET /agents/agt_nothing/tasks")
    expect(status).toBe(404)
    expect(body.error.code).toBe("agent_not_found")
  })
})

describe("GET /tasks/{taskId}/logs", () => {
  test("200: a task that has not started has an empty log", async () => {
    const task = await newTask(account, agent.id)
    expect((await account.send(`GET /tasks/${task.id}/logs`)).body).toEqual({
      data: [],
      pageInfo: { hasMore: false, nextCursor: null },
    })
  })

  test("404 task_not_found", async () => {
    const { status, body } = await account.send("GET /tasks/tsk_nothing/logs")
    expect(status).toBe(404)
    expect(body.error.code).toBe("task_not_found")
  })
})
