import { UpdateCommand } from "@aws-sdk/lib-dynamodb"
import { describe, expect, test } from "vitest"
import { newAccount, shared } from "#test/app.ts"
import { type Item, items, tableOf } from "#test/aws.ts"
import { agentBody, defaults, newAgent, newSshKey, newTask } from "#test/make.ts"

const app = shared()
const account = await newAccount(app)

const issuesOf = ({ body }: { body: { error: { issues: { path: string }[] } } }) => body.error.issues.map(({ path }) => path)
const idsOf = ({ body }: { body: { data: { id: string }[] } }) => body.data.map(({ id }) => id)

describe("POST /agents", () => {
  test("201: answers the agent with its first version, whole", async () => {
    const { status, body } = await account.send("POST /agents", agentBody({ description: "Writes." }))
    expect(status).toBe(201)
    expect(body).toEqual({
      id: expect.stringMatching(/^agt_[0-9A-Z]{26}$/),
      name: "Reporter",
      description: "Writes.",
      isStandard: false,
      archivedAt: null,
      createdAt: expect.any(String),
      currentVersion: {
        id: expect.stringMatching(/^agv_[0-9A-Z]{26}$/),
        number: 1,
        runtime: { containerImage: "debian:12", agentRuntime: "pi" },
        containerVersionId: null,
        basePrompt: "You write short, exact reports.",
        taskTitleInstructions: null,
        skills: [],
        referenceFileIds: [],
        createdAt: body.createdAt,
        defaults: {
          provider: "anthropic",
          hasProviderApiKey: true,
          model: "claude-sonnet-4-5",
          weakModel: null,
          internetAccess: true,
          maxRuntimeSeconds: 600,
          maxRuntimePerTurnSeconds: null,
          sessionTtlSeconds: null,
          softFinishAfterSeconds: null,
          hibernationEnabled: true,
          maxTimePerHibernationCycle: null,
          maxAccumulatedTime: null,
          outputPolicy: { mode: "any" },
          runtimeRegion: "any",
        },
      },
    })
    expect((await account.send(`GET /agents/${body.id}`)).body).toEqual(body)
  })

  test("201: every setting is kept as it was given", async () => {
    const given = {
      provider: "openrouter",
      model: "anthropic/claude-sonnet-4.5",
      weakModel: "haiku",
      internetAccess: false,
      maxRuntimeSeconds: 86_400,
      maxRuntimePerTurnSeconds: 30,
      sessionTtlSeconds: 2_592_000,
      softFinishAfterSeconds: 86_400,
      hibernationEnabled: false,
      maxTimePerHibernationCycle: 7_776_000,
      maxAccumulatedTime: 25_920_000,
      outputPolicy: { mode: "named", files: [{ name: "out/report.md", description: "The report" }, { name: "data.csv" }] },
      runtimeRegion: "eu",
    }
    const skills = [
      { skill: "mattpocock/skills/design-an-interface" },
      { skill: "git@example.com:a/b.git", sshKeyId: (await newSshKey(account)).id },
      { skill: "https://gitlab.com/org/sub/repo/-/tree/main/skills/x" },
    ]
    const { currentVersion } = await newAgent(account, {
      runtime: { containerImage: "ghcr.io/acme/tools:1.4@sha256:abcdef", agentRuntime: "pi" },
      taskTitleInstructions: "Name it.",
      defaults: { ...given, runtime: "pi" },
      skills,
    })
    expect(currentVersion).toMatchObject({
      runtime: { containerImage: "ghcr.io/acme/tools:1.4@sha256:abcdef", agentRuntime: "pi" },
      taskTitleInstructions: "Name it.",
      skills: [{ ...skills[0], sshKeyId: null }, skills[1], { ...skills[2], sshKeyId: null }],
    })
    expect(currentVersion.defaults).toEqual({ ...given, hasProviderApiKey: false })
  })

  test("201: a prompt of 100,000 characters comes back whole", async () => {
    const basePrompt = "ü".repeat(100_000)
    const agent = await newAgent(account, { basePrompt })
    expect((await account.send(`GET /agents/${agent.id}`)).body.currentVersion.basePrompt).toBe(basePrompt)
  })

  test("201: nothing that is answered holds the provider's key", async () => {
    const secret = "sk-ant-nobody-may-see-this"
    const agent = await newAgent(account, { defaults: defaults({ providerApiKey: secret }) })
    const answers = [
      agent,
      (await account.send(`GET /agents/${agent.id}`)).body,
      (await account.send("GET /agents")).body,
      (await account.send(`GET /agents/${agent.id}/versions`)).body,
      await newTask(account, agent.id, { overrides: { providerApiKey: secret } }),
    ]
    expect(agent.currentVersion.defaults.hasProviderApiKey).toBe(true)
    expect(JSON.stringify(answers)).not.toContain(secret)
  })

  test.each<[string, object]>([
    ["name", { name: " " }],
    ["name", { name: "x".repeat(201) }],
    ["name", { name: 7 }],
    ["description", { description: "x".repeat(2_001) }],
    ["basePrompt", { basePrompt: "" }],
    ["basePrompt", { basePrompt: "x".repeat(100_001) }],
    ["runtime", { runtime: undefined }],
    ["runtime.agentRuntime", { runtime: { containerImage: "debian:12", agentRuntime: "claude" } }],
    ["runtime.containerImage", { runtime: { containerImage: "Debian 12", agentRuntime: "pi" } }],
    ["runtime.containerImage", { runtime: { containerImage: `a${"_".repeat(200)}!`, agentRuntime: "pi" } }],
    ["defaults", { defaults: undefined }],
    ["defaults.model", { defaults: defaults({ model: undefined }) }],
    ["defaults.internetAccess", { defaults: defaults({ internetAccess: "yes" }) }],
    ["defaults.maxRuntimeSeconds", { defaults: defaults({ maxRuntimeSeconds: 59 }) }],
    ["defaults.maxRuntimeSeconds", { defaults: defaults({ maxRuntimeSeconds: 86_401 }) }],
    ["defaults.maxRuntimePerTurnSeconds", { defaults: defaults({ maxRuntimePerTurnSeconds: 29 }) }],
    ["defaults.sessionTtlSeconds", { defaults: defaults({ sessionTtlSeconds: 2_592_001 }) }],
    ["defaults.maxTimePerHibernationCycle", { defaults: defaults({ maxTimePerHibernationCycle: 59 }) }],
    ["defaults.maxAccumulatedTime", { defaults: defaults({ maxAccumulatedTime: 25_920_001 }) }],
    ["defaults.softFinishAfterSeconds", { defaults: defaults({ softFinishAfterSeconds: 601 }) }],
    ["defaults.provider", { defaults: defaults({ provider: "acme" }) }],
    ["defaults.providerApiKey", { defaults: defaults({ providerApiKey: "" }) }],
    ["defaults.runtimeRegion", { defaults: defaults({ runtimeRegion: "us" }) }],
    ["defaults.outputPolicy.mode", { defaults: defaults({ outputPolicy: { mode: "some" } }) }],
    ["defaults.outputPolicy.files", { defaults: defaults({ outputPolicy: { mode: "named", files: [] } }) }],
    [
      "defaults.outputPolicy.files.0.name",
      { defaults: defaults({ outputPolicy: { mode: "named", files: [{ name: "../x" }] } }) },
    ],
    [
      "defaults.outputPolicy.files.0.name",
      { defaults: defaults({ outputPolicy: { mode: "named", files: [{ name: "a//b" }] } }) },
    ],
    ["skills", { skills: Array.from({ length: 21 }, () => ({ skill: "acme/skills" })) }],
    ["skills.0.skill", { skills: [{ skill: "./local" }] }],
    ["skills.0.skill", { skills: [{ skill: "../local" }] }],
    ["skills.0.skill", { skills: [{ skill: "/local" }] }],
    ["skills.0.skill", { skills: [{ skill: "~/local" }] }],
    ["skills.0.skill", { skills: [{ skill: "--agent" }] }],
    ["skills.0.skill", { skills: [{ skill: "https://gitlab.com/org/repo/-" }] }],
    ["skills.0.skill", { skills: [{ skill: "https://gitlab.com/org/repo/-/x" }] }],
    ["skills.0.skill", { skills: [{ skill: "https://gitlab.com/org/repo/-/tree/-x" }] }],
    ["skills.0.skill", { skills: [{ skill: "https://gitlab.com/org/repo/-/tree/-/x" }] }],
    ["skills.0.skill", { skills: [{ skill: "https://gitlab.com/org/-x/-/tree/main" }] }],
    ["skills.0.skill", { skills: [{ skill: "https://gitlab.com/org/-/tree/main" }] }],
    ["skills.0.skill", { skills: [{ skill: "git@gitlab.com:org/repo/-/tree/main" }] }],
  ])("422 invalid_request: a bad %s is named by its path", async (path, overrides) => {
    const answer = await account.send("POST /agents", agentBody(overrides))
    expect(answer.status).toBe(422)
    expect(answer.body.error.code).toBe("invalid_request")
    expect(issuesOf(answer)).toEqual([path])
  })

  test("422 invalid_request: an output that is named from the workspace is told its name below output/", async () => {
    const named = (name: string) => defaults({ outputPolicy: { mode: "named", files: [{ name }] } })
    const issuesFor = async (name: string) =>
      (await account.send("POST /agents", agentBody({ defaults: named(name) }))).body.error.issues
    const path = "defaults.outputPolicy.files.0.name"
    expect(await issuesFor("output/data/report.md")).toEqual([
      { path, message: "Names are below output/ already: say data/report.md" },
    ])
    expect(await issuesFor("output/../report.md")).toEqual([{ path, message: "A name is a relative path without `..`" }])
    await newAgent(account, { defaults: named("outputs/report.md") })
  })

  test("200: an agent from before such a name was refused can still be read", async () => {
    const { id } = await newAgent(account, { defaults: defaults({ outputPolicy: { mode: "named", files: [{ name: "a.md" }] } }) })
    const [{ pk, sk }] = (await items(app, `${account.accountId}#${id}`, "version#")) as [Item]
    const UpdateExpression = "SET #defaults.outputPolicy.#files[0].#name = :name"
    const ExpressionAttributeNames = { "#defaults": "defaults", "#files": "files", "#name": "name" }
    const change = { UpdateExpression, ExpressionAttributeNames, ExpressionAttributeValues: { ":name": "output/a.md" } }
    await tableOf(app).send(new UpdateCommand({ TableName: "dormouse", Key: { pk, sk }, ...change }))
    const { status, body } = await account.send(`GET /agents/${id}`)
    expect([status, body.currentVersion.defaults.outputPolicy.files]).toEqual([200, [{ name: "output/a.md" }]])
  })

  test.each<[string, object]>([
    ["colour", { colour: "red" }],
    ["runtime.colour", { runtime: { containerImage: "debian:12", agentRuntime: "pi", colour: "red" } }],
    ["defaults.colour", { defaults: defaults({ colour: "red" }) }],
    ["defaults.outputPolicy.colour", { defaults: defaults({ outputPolicy: { mode: "any", colour: "red" } }) }],
    [
      "defaults.outputPolicy.files.1.colour",
      { defaults: defaults({ outputPolicy: { mode: "named", files: [{ name: "a" }, { name: "b", colour: "red" }] } }) },
    ],
    ["skills.0.colour", { skills: [{ skill: "acme/skills", colour: "red" }] }],
  ])("422 invalid_request: the unknown field %s is named by its path", async (path, overrides) => {
    const answer = await account.send("POST /agents", agentBody(overrides))
    expect(answer.status).toBe(422)
    expect(issuesOf(answer)).toEqual([path])
  })

  test.each([
    ["nothing", ""],
    ["a broken object", '{"name": "Reporter"'],
    ["a list", "[]"],
    ["null", "null"],
    ["a string", '"Reporter"'],
  ])("422 invalid_request: %s is no body", async (_, text) => {
    const { status, body } = await account.send("POST /agents", text)
    expect(status).toBe(422)
    expect(body.error).toMatchObject({ code: "invalid_request", issues: [{ path: "", message: expect.any(String) }] })
  })

  test("422 invalid_request: everything that is wrong is said at once", async () => {
    const answer = await account.send("POST /agents", agentBody({ name: "", basePrompt: "", colour: "red" }))
    expect(issuesOf(answer)).toHaveLength(3)
    expect(new Set(issuesOf(answer))).toEqual(new Set(["basePrompt", "colour", "name"]))
  })

  test("422 invalid_request: what is missing is said in words for a person", async () => {
    const { basePrompt: _, ...rest } = agentBody()
    const { body } = await account.send("POST /agents", rest)
    expect(body.error.issues).toEqual([{ path: "basePrompt", message: "This field is missing" }])
    const listed = await account.send("GET /agents?limit=ten")
    expect(listed.body.error.issues).toEqual([{ path: "limit", message: "This is not a number" }])
  })

  test("413 payload_too_large: a body over 10 MB is refused in the envelope of the API", async () => {
    const { status, headers, body } = await account.send("POST /agents", agentBody({ basePrompt: "x".repeat(10 * 1024 ** 2) }))
    expect(status).toBe(413)
    expect(body.error).toMatchObject({ code: "payload_too_large", requestId: headers.get("x-request-id") })
  })
})

describe("GET /agents/{agentId}", () => {
  test.each([
    ["an id that was never given", "agt_01M81PTVJBGYG3MBEQWZ1ZREJ0"],
    ["another kind of id", "tsk_01M81PTVJBGYG3MBEQWZ1ZREJ0"],
    ["a word", "reporter"],
    ["a very long word", "x".repeat(3_000)],
    ["a key of the table", "agt_1%23version"],
    ["a path", "..%2Faccount"],
    ["a zero byte", "%00"],
    ["a sign of four bytes", encodeURIComponent("🐭".repeat(400))],
  ])("404 agent_not_found: %s", async (_, id) => {
    const { status, body } = await account.send(`GET /agents/${id}`)
    expect(status).toBe(404)
    expect(body.error).toMatchObject({ code: "agent_not_found", message: "There is no such agent." })
  })
})

describe("DELETE /agents/{agentId}", () => {
  test("204: an archived agent leaves the list, can still be read, and keeps its tasks", async () => {
    const agent = await newAgent(account)
    const task = await newTask(account, agent.id)
    const { status, body, headers } = await account.send(`DELETE /agents/${agent.id}`)
    expect({ status, body }).toEqual({ status: 204, body: "" })
    expect(headers.get("x-request-id")).toBeTruthy()

    expect(idsOf(await account.send("GET /agents?limit=100"))).not.toContain(agent.id)
    const read = await account.send(`GET /agents/${agent.id}`)
    expect(read.body).toEqual({ ...agent, archivedAt: expect.stringMatching(/Z$/) })
    expect(idsOf(await account.send(`GET /agents/${agent.id}/tasks`))).toEqual([task.id])
  })

  test("204: archiving twice is archiving once", async () => {
    const agent = await newAgent(account)
    await account.send(`DELETE /agents/${agent.id}`)
    const first = (await account.send(`GET /agents/${agent.id}`)).body
    expect((await account.send(`DELETE /agents/${agent.id}`)).status).toBe(204)
    expect((await account.send(`GET /agents/${agent.id}`)).body).toEqual(first)
  })

  test("404 agent_not_found: what is not there cannot be archived", async () => {
    const { status, body } = await account.send("DELETE /agents/agt_nothing")
    expect(status).toBe(404)
    expect(body.error.code).toBe("agent_not_found")
  })
})

describe("GET /agents", () => {
  test("200: an account without agents of its own has the standard ones", async () => {
    const { body } = await (await newAccount(app)).send("GET /agents")
    expect(body.data.map(({ id, isStandard }: { id: string; isStandard: boolean }) => [id, isStandard])).toEqual([
      ["agt_standard_coding", true],
      ["agt_standard_documents", true],
      ["agt_standard_data", true],
    ])
    expect(body.pageInfo).toEqual({ hasMore: false, nextCursor: null })
  })

  test("200: pages go from the newest to the oldest and hold still while others write", async () => {
    const own = await newAccount(app)
    const made: { id: string }[] = []
    for (let i = 0; i < 5; i++) made.unshift(await newAgent(own, { name: `Agent ${i}` }))
    const wanted = made.map(({ id }) => id)

    const first = await own.send("GET /agents?limit=2")
    expect(idsOf(first)).toEqual(wanted.slice(0, 2))
    expect(first.body.pageInfo).toEqual({ hasMore: true, nextCursor: expect.any(String) })
    expect(first.body.data[0]).toEqual(made[0])

    // One that comes, one that goes, and the very one that the cursor stands on.
    await newAgent(own, { name: "Late" })
    await own.send(`DELETE /agents/${wanted[1]}`)
    await own.send(`DELETE /agents/${wanted[2]}`)

    // The standard ones come last, and a page may hold some of both.
    const second = await own.send(`GET /agents?limit=3&cursor=${first.body.pageInfo.nextCursor}`)
    expect(idsOf(second)).toEqual([...wanted.slice(3), "agt_standard_coding"])
    expect(second.body.pageInfo).toEqual({ hasMore: true, nextCursor: expect.any(String) })

    const third = await own.send(`GET /agents?limit=2&cursor=${second.body.pageInfo.nextCursor}`)
    expect(idsOf(third)).toEqual(["agt_standard_documents", "agt_standard_data"])
    expect(third.body.pageInfo).toEqual({ hasMore: false, nextCursor: null })
  })

  test("200: a page that ends with the last of one's own says that more follows", async () => {
    const own = await newAccount(app)
    const agent = await newAgent(own)
    const { body } = await own.send("GET /agents?limit=1")
    expect(body).toEqual({ data: [agent], pageInfo: { hasMore: true, nextCursor: expect.any(String) } })
    const rest = await own.send(`GET /agents?cursor=${body.pageInfo.nextCursor}`)
    expect(idsOf(rest)).toEqual(["agt_standard_coding", "agt_standard_documents", "agt_standard_data"])
  })

  test.each(["0", "101", "-1", "1.5", "ten", ""])("422 invalid_request: limit=%s", async (limit) => {
    const answer = await account.send(`GET /agents?limit=${limit}`)
    expect(answer.status).toBe(422)
    expect(issuesOf(answer)).toEqual(["limit"])
  })

  test("422 invalid_request: a parameter that is not known", async () => {
    const answer = await account.send("GET /agents?colour=red")
    expect(answer.status).toBe(422)
    expect(issuesOf(answer)).toEqual(["colour"])
  })

  test("422 invalid_request: a cursor of another account, of another list, or one that was touched", async () => {
    const [own, other] = [await newAccount(app), await newAccount(app)]
    const agent = await newAgent(own)
    for (const name of ["One", "Two"]) await newAgent(own, { name })
    const { nextCursor } = (await own.send("GET /agents?limit=1")).body.pageInfo
    const touched = `${nextCursor.slice(0, -1)}${nextCursor.endsWith("A") ? "B" : "A"}`
    const refused = [
      await other.send(`GET /agents?cursor=${nextCursor}`),
      await own.send(`GET /agents/${agent.id}/versions?cursor=${nextCursor}`),
      await own.send(`GET /agents?cursor=${touched}`),
      await own.send("GET /agents?cursor="),
    ]
    expect(refused.map(({ status }) => status)).toEqual([422, 422, 422, 422])
    expect(refused.map(issuesOf)).toEqual([["cursor"], ["cursor"], ["cursor"], ["cursor"]])
  })
})
