import { beforeAll, describe, expect, test } from "vitest"
import { as, newAccount, shared } from "#test/app.ts"
import { type Container, claimedContainer, containerOf } from "#test/container.ts"
import { newAgent, newFile, newTask } from "#test/make.ts"

const app = shared()
const account = await newAccount(app)

const ask = ({ runId, runToken }: Container, fileId: string) =>
  as(app, runToken).send(`GET /agent/tasks/${runId}/files/${encodeURIComponent(fileId)}`)

/** A container that has claimed its run, with what it was told. */
const started = async (inputFileIds: string[]) => {
  const agent = await newAgent(account)
  const container = await containerOf(app, account.accountId, await newTask(account, agent.id, { inputFileIds }))
  const { body } = await container.claim()
  return { container, bundle: body.claim.bundle }
}

describe("GET /agent/tasks/{run_id}/files/{file_id}", () => {
  let file: { id: string }
  let container: Container

  beforeAll(async () => {
    file = await newFile(account, "a,b\n", { filename: "naïve 数据.csv" })
    container = (await started([file.id])).container
  })

  test("200: the container is told of its input files, and reads them from where they lie", async () => {
    const { container, bundle } = await started([file.id])
    expect(bundle.input_files).toEqual([{ id: file.id, filename: "naïve 数据.csv", size_bytes: 4 }])
    const { status, body } = await ask(container, file.id)
    expect(status).toBe(200)
    expect(await (await fetch(body.url)).text()).toBe("a,b\n")
  })

  test("200: a file that was deleted after the task was given it is still there for the task", async () => {
    const doomed = await newFile(account, "still here")
    const agent = await newAgent(account)
    const task = await newTask(account, agent.id, { inputFileIds: [doomed.id] })
    expect((await account.send(`DELETE /files/${doomed.id}`)).status).toBe(204)
    const container = await containerOf(app, account.accountId, task)
    await container.claim()
    expect(await (await fetch((await ask(container, doomed.id)).body.url)).text()).toBe("still here")
  })

  test("200: what came with a message is read like what came with the task, and stays on the message", async () => {
    const [first, second] = [await newFile(account, "first"), await newFile(account, "second")]
    const talk = await claimedContainer(app, account, { conversation: { inputFileIds: [first.id] } })
    const path = `/conversations/${talk.task.id}/messages`
    const said = await account.send(`POST ${path}`, { content: "See this.", inputFileIds: [second.id] })
    expect(said.body.message.files).toEqual([second])
    expect((await account.send(`GET ${path}`)).body.data[0].files).toEqual([first])
    await talk.send("turns/complete", { turn_number: 1 })
    const { turn } = (await talk.receive({ turn: 1, after: 1 })).body
    expect(turn.messages[0].files).toMatchObject([{ id: second.id, size_bytes: 6 }])
    for (const [file, text] of [
      [first, "first"],
      [second, "second"],
    ] as const)
      expect(await (await fetch((await ask(talk, file.id)).body.url)).text()).toBe(text)
    const refused = await account.send(`POST ${path}`, { content: "And this.", inputFileIds: ["file_nothing"] })
    expect(refused.body.error.issues[0].path).toBe("inputFileIds.0")
  })

  test("404 file_not_found: a file of the account that this task was not given", async () => {
    const other = await newFile(account)
    for (const id of [other.id, "file_nothing", "../secret", "\0"])
      expect((await ask(container, id)).body.error.code).toBe("file_not_found")
  })

  test("409 lease_lost: a container that has ended reads nothing more", async () => {
    const { container } = await started([file.id])
    await container.send("complete", { result: null })
    const { status, body } = await ask(container, file.id)
    expect([status, body.error.code]).toEqual([409, "lease_lost"])
  })

  test("401: a container without a claimed run has no token for any file", async () => {
    const fresh = await claimedContainer(app, account)
    expect((await ask({ ...container, runToken: fresh.claimToken }, file.id)).status).toBe(401)
  })
})
