import { describe, expect, test } from "vitest"
import { newAccount, shared } from "#test/app.ts"
import { newAgent, newTask } from "#test/make.ts"

const app = shared()
const account = await newAccount(app)

const issuesOf = ({ body }: { body: { error: { issues: { path: string }[] } } }) => body.error.issues.map(({ path }) => path)
const idsOf = ({ body }: { body: { data: { id: string }[] } }) => body.data.map(({ id }) => id)

describe("a standard agent", () => {
  test("can be read with its versions, by every account alike", async () => {
    const other = await newAccount(app)
    const { status, body } = await account.send("GET /agents/agt_standard_coding")
    expect(status).toBe(200)
    expect(body).toMatchObject({ id: "agt_standard_coding", isStandard: true, archivedAt: null })
    expect((await other.send("GET /agents/agt_standard_coding")).body).toEqual(body)
    const { body: versions } = await account.send("GET /agents/agt_standard_coding/versions")
    expect(versions).toEqual({ data: [body.currentVersion], pageInfo: { hasMore: false, nextCursor: null } })
    const { body: version } = await account.send(`GET /agents/agt_standard_coding/versions/${body.currentVersion.id}`)
    expect(version).toEqual(body.currentVersion)
  })

  test("takes tasks, which only the account that gave them can see", async () => {
    const other = await newAccount(app)
    const task = await newTask(account, "agt_standard_data")
    expect(task).toMatchObject({ agentId: "agt_standard_data", agentName: "Data", status: "pending" })
    expect(idsOf(await account.send("GET /agents/agt_standard_data/tasks"))).toEqual([task.id])
    expect(idsOf(await other.send("GET /agents/agt_standard_data/tasks"))).toEqual([])
  })

  test.each([
    ["PATCH /agents/agt_standard_coding", { name: "Mine" }],
    ["DELETE /agents/agt_standard_coding", undefined],
  ])("404 agent_not_found: %s", async (call, body) => {
    const answer = await account.send(call, body)
    expect(answer.status).toBe(404)
    expect(answer.body.error.code).toBe("agent_not_found")
  })

  test("404 version_not_found: has only its own versions", async () => {
    const { body } = await account.send("GET /agents/agt_standard_coding/versions/agv_standard_data_1")
    expect(body.error.code).toBe("version_not_found")
    const task = await account.send("POST /agents/agt_standard_coding/tasks", {
      instructions: "x",
      versionId: "agv_standard_data_1",
    })
    expect(task.body.error.code).toBe("version_not_found")
  })
})

describe("POST /agents/{agentId}/fork", () => {
  test.each([undefined, {}])("201: without a name the copy is called like the original: %j", async (body) => {
    const { body: standard } = await account.send("GET /agents/agt_standard_documents")
    const answer = await account.send("POST /agents/agt_standard_documents/fork", body)
    expect(answer.status).toBe(201)
    expect(answer.body).toEqual({
      ...standard,
      id: expect.stringMatching(/^agt_[0-9A-Z]{26}$/),
      isStandard: false,
      createdAt: expect.any(String),
      currentVersion: {
        ...standard.currentVersion,
        id: expect.stringMatching(/^agv_[0-9A-Z]{26}$/),
        createdAt: answer.body.createdAt,
      },
    })
    expect((await account.send(`GET /agents/${answer.body.id}`)).body).toEqual(answer.body)
  })

  test("201: the copy is one's own: it has a name, is changed and archived, and the original stays", async () => {
    const { body: standard } = await account.send("GET /agents/agt_standard_coding")
    const { body: copy } = await account.send("POST /agents/agt_standard_coding/fork", { name: "Coder", description: "Ours." })
    expect(copy).toMatchObject({ name: "Coder", description: "Ours." })
    const { body: changed } = await account.send(`PATCH /agents/${copy.id}`, { basePrompt: "Other." })
    expect(changed.currentVersion).toMatchObject({ number: 2, basePrompt: "Other.", runtime: standard.currentVersion.runtime })
    expect((await newTask(account, copy.id)).agentName).toBe("Coder")
    expect((await account.send(`DELETE /agents/${copy.id}`)).status).toBe(204)
    expect((await account.send("GET /agents/agt_standard_coding")).body).toEqual(standard)
  })

  test("422 not_standard: one's own is changed, not forked", async () => {
    const { status, body } = await account.send(`POST /agents/${(await newAgent(account)).id}/fork`)
    expect(status).toBe(422)
    expect(body.error.code).toBe("not_standard")
  })

  test.each<[string, unknown]>([
    ["name", { name: "" }],
    ["description", { description: 1 }],
    ["", "[]"],
  ])("422 invalid_request: a bad %s", async (path, body) => {
    const answer = await account.send("POST /agents/agt_standard_coding/fork", body)
    expect(answer.status).toBe(422)
    expect(issuesOf(answer)).toEqual([path])
  })
})
