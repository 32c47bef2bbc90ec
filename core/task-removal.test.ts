import { DescribeExecutionCommand } from "@aws-sdk/client-sfn"
import { DeleteCommand, PutCommand } from "@aws-sdk/lib-dynamodb"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { newAccount } from "#test/app.ts"
import { invoke, items, objects, sfnOf, tableOf } from "#test/aws.ts"
import { claimedContainer, storeOutput } from "#test/container.ts"
import { newAgent } from "#test/make.ts"
import { type OwnStack, ownStack } from "#test/stack.ts"
import { moveTime } from "#test/time.ts"

const time = moveTime()
let app: OwnStack
let account: Awaited<ReturnType<typeof newAccount>>

beforeAll(async () => {
  app = await ownStack({}, undefined, { idle: true })
  account = await newAccount(app, { creditUsd: 20 })
})

afterAll(async () => {
  await app.stop()
  time.release()
})

const ended = async () => {
  const container = await claimedContainer(app, account)
  const fileId = await storeOutput(container, "report.md", Buffer.from("x"))
  await container.send("complete", { result: "Done." })
  return { id: container.task.id as string, fileId }
}

/** What is left of a task, but for the sign that it was deleted. */
const rows = async (id: string) => (await items(app, `${account.accountId}#${id}`)).filter(({ sk }) => sk !== "removal")

describe("DELETE /tasks/{taskId}", () => {
  test("204: the task is gone with its log, its events and its files, and its cost stays in the books", async () => {
    const { id, fileId } = await ended()
    const ledger = await items(app, `${account.accountId}#ledger`)
    const { status, body } = await account.send(`DELETE /tasks/${id}`)
    expect([status, body]).toEqual([204, ""])
    for (const path of ["", "/logs", "/files", `/files/${fileId}`])
      expect((await account.send(`GET /tasks/${id}${path}`)).body.error.code).toBe("task_not_found")
    expect((await account.send("GET /tasks")).body.data).toEqual([])
    expect(await rows(id)).toEqual([])
    expect(await items(app, `${account.accountId}#ledger`)).toEqual(ledger)
    expect((await account.send(`DELETE /tasks/${id}`)).status).toBe(404)
  })

  test("204: its long texts are gone with it, and those of other tasks and of its agent stay", async () => {
    const long = (word: string) => `${word} `.repeat(2_000).trim()
    const { id: agentId } = await newAgent(account, { basePrompt: long("Write.") })
    const conversation = { instructions: long("Report."), message: long("Well?"), overrides: { basePrompt: long("Briefly.") } }
    const container = await claimedContainer(app, account, { conversation })
    const other = await claimedContainer(app, account, { task: { instructions: long("Report.") } })
    const said = { usage: { input_tokens: 1, output_tokens: 1, cache_read_tokens: 0, cache_write_tokens: 0 }, cost_usd: 0 }
    await container.send("turns/complete", { turn_number: 1, messages: [{ content: long("Yes."), ...said }] })
    await account.send(`POST /tasks/${container.task.id}/cancel`)
    await container.send("complete", { result: null })
    expect(await objects(app, "texts/")).toHaveLength(6)
    expect((await account.send(`DELETE /tasks/${container.task.id}`)).status).toBe(204)
    expect(await objects(app, `texts/${account.accountId}/${container.task.id}/`)).toEqual([])
    expect((await account.send(`GET /tasks/${other.task.id}`)).body.instructions).toBe(long("Report."))
    expect((await account.send(`GET /agents/${agentId}`)).body.currentVersion.basePrompt).toBe(long("Write."))
  })

  test("204: the key that it was given is gone with it, and the agent's own stays", async () => {
    const keys = async () => (await items(app, account.accountId, "secret#")).map(({ sk }) => sk)
    const before = await keys()
    const container = await claimedContainer(app, account, { task: { overrides: { providerApiKey: "sk-of-this-task" } } })
    await container.send("complete", { result: null })
    expect(await keys()).toHaveLength(before.length + 2)
    await account.send(`DELETE /tasks/${container.task.id}`)
    expect(await keys()).toHaveLength(before.length + 1)
  })

  test("409 task_not_ended: a task that goes on is left alone", async () => {
    const { task } = await claimedContainer(app, account)
    const { status, body } = await account.send(`DELETE /tasks/${task.id}`)
    expect([status, body.error.code]).toEqual([409, "task_not_ended"])
    expect((await account.send(`GET /tasks/${task.id}`)).body.status).toBe("running")
  })

  test("deleted before its execution has heard of the end: that ends by itself, with nothing to settle", async () => {
    const container = await claimedContainer(app, account)
    const pk = `${account.accountId}#${container.task.id}`
    await tableOf(app).send(new DeleteCommand({ TableName: "dormouse", Key: { pk, sk: `wait#${container.runId}` } }))
    await container.send("complete", { result: null })
    expect((await account.send(`DELETE /tasks/${container.task.id}`)).status).toBe(204)
    const executionArn = `arn:aws:states:us-east-1:000000000000:execution:dormouse-task:${container.task.id}-1`
    const status = async () => (await sfnOf(app).send(new DescribeExecutionCommand({ executionArn }))).status
    expect(await status()).toBe("RUNNING")
    time.advance(10 * 60_000 + 1_000)
    await expect.poll(status, { timeout: 10_000 }).toBe("SUCCEEDED")
    expect(await rows(container.task.id)).toEqual([])
  })

  test("what a crash has left of it is removed by the next call, or by the sweeper", async () => {
    for (const mend of [
      (id: string) => account.send(`DELETE /tasks/${id}`).then(({ status }) => expect(status).toBe(204)),
      async () => {
        time.advance(11 * 60_000)
        await invoke(app, "dormouse-reactions-sweep", {})
      },
    ]) {
      const { id } = await ended()
      const before = await rows(id)
      await account.send(`DELETE /tasks/${id}`)
      await putBack(id, before)
      await mend(id)
      expect(await rows(id)).toEqual([])
    }
  })
})

/** What is there when the function dies after its first write. */
const putBack = async (id: string, before: Record<string, unknown>[]) => {
  const later = new Date(Date.now() + 60 * 60_000).toISOString()
  const removal = {
    pk: `${account.accountId}#${id}`,
    sk: "removal",
    accountId: account.accountId,
    taskId: id,
    sweepShard: "0",
    sweepAt: later,
    sweepPk: "sweep-removals#0",
    sweepSk: `${new Date(Date.now() + 5 * 60_000).toISOString()}#${id}`,
    __edb_e__: "task-removal",
    __edb_v__: "1",
  }
  const left = before.filter(({ sk }) => !String(sk).startsWith("task"))
  for (const Item of [...left, removal]) await tableOf(app).send(new PutCommand({ TableName: "dormouse", Item }))
}
