import { describe, expect, test } from "vitest"
import { type Answer, newAccount, shared } from "#test/app.ts"
import { containerOf } from "#test/container.ts"
import { newAgent, newFile, newTask } from "#test/make.ts"

const app = shared()
const account = await newAccount(app)

const attach = (agentId: string, fileIds: unknown) => account.send(`POST /agents/${agentId}/reference-files`, { fileIds })
const codeOf = ({ status, body }: Answer) => [status, body.error?.code]
const listed = async (agentId: string) =>
  (await account.send(`GET /agents/${agentId}/reference-files`)).body.data.map(({ id }: { id: string }) => id)
const filesOf = (count: number) => Promise.all(Array.from({ length: count }, () => newFile(account, "x")))
const newestFirst = (ids: string[]) => ids.toSorted().reverse()

describe("POST /agents/{agentId}/reference-files", () => {
  test("200: makes a version that has the files, and leaves the one before as it was", async () => {
    const agent = await newAgent(account)
    const files = (await filesOf(2)).map(({ id }) => id)
    const { status, body } = await attach(agent.id, files)
    expect(status).toBe(200)
    expect(body).toMatchObject({ id: agent.id, currentVersion: { number: 2, referenceFileIds: files } })
    expect({ ...body.currentVersion, ...agent.currentVersion }).toEqual(agent.currentVersion)
    const before = await account.send(`GET /agents/${agent.id}/versions/${agent.currentVersion.id}`)
    expect(before.body.referenceFileIds).toEqual([])
    expect(await listed(agent.id)).toEqual(newestFirst(files))
  })

  test("200: they stay when something else of the agent changes", async () => {
    const agent = await newAgent(account)
    const [file] = await filesOf(1)
    await attach(agent.id, [file.id])
    const { body } = await account.send(`PATCH /agents/${agent.id}`, { basePrompt: "You write long reports." })
    expect(body.currentVersion).toMatchObject({ number: 3, referenceFileIds: [file.id] })
  })

  test("200: a file that is there twice, or is attached again, is attached once", async () => {
    const agent = await newAgent(account)
    const [one, other] = await filesOf(2)
    await attach(agent.id, [one.id, one.id])
    await attach(agent.id, [other.id, one.id])
    expect(await listed(agent.id)).toEqual(newestFirst([one.id, other.id]))
  })

  test("200: of several at once none is lost", async () => {
    const agent = await newAgent(account)
    const files = await filesOf(4)
    const answers = await Promise.all(files.map(({ id }) => attach(agent.id, [id])))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    expect(await listed(agent.id)).toEqual(newestFirst(files.map(({ id }) => id)))
  })

  test("200: every task from then on finds them, one that was dispatched before does not", async () => {
    const agent = await newAgent(account)
    const file = await newFile(account, "Be brief.", { filename: "style.md" })
    const before = await newTask(account, agent.id)
    await attach(agent.id, [file.id])
    const after = await newTask(account, agent.id)
    const told = async (task: object) => {
      const container = await containerOf(app, account.accountId, task)
      return (await container.claim()).body.claim.bundle.reference_files
    }
    expect(await told(before)).toEqual([])
    expect(await told(after)).toEqual([{ id: file.id, filename: "style.md", size_bytes: 9 }])
  })

  test.each([
    ["fileIds", []],
    ["fileIds", "file_1"],
    ["fileIds", Array(51).fill("file_1")],
    ["fileIds.0", ["file_nothing"]],
    ["fileIds.0", [1]],
    ["fileIds.0", [""]],
    ["fileIds.0", ["\0"]],
    ["fileIds.0", ["x".repeat(256)]],
  ])("422 invalid_request: %s, when they are %j", async (path, fileIds) => {
    const agent = await newAgent(account)
    const answer = await attach(agent.id, fileIds)
    expect(codeOf(answer)).toEqual([422, "invalid_request"])
    expect(answer.body.error.issues.map((issue: { path: string }) => issue.path)).toEqual([path])
    expect((await account.send(`GET /agents/${agent.id}`)).body).toEqual(agent)
  })

  test("422 invalid_request: another account's file is none, and the others are not attached either", async () => {
    const agent = await newAgent(account)
    const foreign = await newFile(await newAccount(app))
    const [own] = await filesOf(1)
    const answer = await attach(agent.id, [own.id, foreign.id])
    expect(answer.body.error.issues).toEqual([{ path: "fileIds.1", message: "There is no such file" }])
    expect(await listed(agent.id)).toEqual([])
  })

  test("422 invalid_request: more than 50 are too many for one agent", async () => {
    const agent = await newAgent(account)
    const ids = (await filesOf(51)).map(({ id }) => id)
    expect((await attach(agent.id, ids.slice(0, 50))).status).toBe(200)
    expect(codeOf(await attach(agent.id, ids.slice(50)))).toEqual([422, "invalid_request"])
    expect((await attach(agent.id, ids.slice(0, 1))).status).toBe(200)
  })

  test("422 agent_archived", async () => {
    const agent = await newAgent(account)
    const [file] = await filesOf(1)
    await account.send(`DELETE /agents/${agent.id}`)
    expect(codeOf(await attach(agent.id, [file.id]))).toEqual([422, "agent_archived"])
  })

  test("404 agent_not_found: a standard agent is everybody's, and nobody changes it", async () => {
    const [file] = await filesOf(1)
    expect(codeOf(await attach("agt_standard_coding", [file.id]))).toEqual([404, "agent_not_found"])
  })
})

describe("GET /agents/{agentId}/reference-files", () => {
  test("200: in pages", async () => {
    const agent = await newAgent(account)
    const ids = (await filesOf(3)).map(({ id }) => id)
    await attach(agent.id, ids)
    const first = await account.send(`GET /agents/${agent.id}/reference-files?limit=2`)
    const second = await account.send(`GET /agents/${agent.id}/reference-files?limit=2&cursor=${first.body.pageInfo.nextCursor}`)
    expect([...first.body.data, ...second.body.data].map(({ id }) => id)).toEqual(newestFirst(ids))
    expect(second.body.pageInfo).toEqual({ hasMore: false, nextCursor: null })
  })

  test("200: what was deleted of an archived agent's is left out, on whatever page it was", async () => {
    const agent = await newAgent(account)
    const ids = newestFirst((await filesOf(3)).map(({ id }) => id))
    await attach(agent.id, ids)
    await account.send(`DELETE /agents/${agent.id}`)
    expect((await account.send(`DELETE /files/${ids[1]}`)).status).toBe(204)
    expect(await listed(agent.id)).toEqual([ids[0], ids[2]])
    const first = await account.send(`GET /agents/${agent.id}/reference-files?limit=2`)
    const second = await account.send(`GET /agents/${agent.id}/reference-files?limit=2&cursor=${first.body.pageInfo.nextCursor}`)
    expect([...first.body.data, ...second.body.data].map(({ id }) => id)).toEqual([ids[0], ids[2]])
    expect(second.body.pageInfo).toEqual({ hasMore: false, nextCursor: null })
  })

  test("200: a standard agent has none", async () => {
    expect(await listed("agt_standard_coding")).toEqual([])
  })
})

describe("DELETE /agents/{agentId}/reference-files/{fileId}", () => {
  test("204: makes a version without it; the file itself stays", async () => {
    const agent = await newAgent(account)
    const [one, other] = await filesOf(2)
    await attach(agent.id, [one.id, other.id])
    expect((await account.send(`DELETE /agents/${agent.id}/reference-files/${one.id}`)).status).toBe(204)
    expect((await account.send(`GET /agents/${agent.id}`)).body.currentVersion).toMatchObject({
      number: 3,
      referenceFileIds: [other.id],
    })
    expect((await account.send(`GET /files/${one.id}`)).body).toEqual(one)
  })

  test("404 file_not_found: a file that the agent does not have", async () => {
    const agent = await newAgent(account)
    const [file] = await filesOf(1)
    expect(codeOf(await account.send(`DELETE /agents/${agent.id}/reference-files/${file.id}`))).toEqual([404, "file_not_found"])
  })
})
