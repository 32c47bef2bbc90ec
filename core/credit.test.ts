import { randomUUID } from "node:crypto"
import { UpdateCommand } from "@aws-sdk/lib-dynamodb"
import { describe, expect, test } from "vitest"
import { newAccount, shared } from "#test/app.ts"
import { type Item, invoke, items, tableOf } from "#test/aws.ts"
import { type Container, claimedContainer, containerOf } from "#test/container.ts"

const app = shared()

type Account = Awaited<ReturnType<typeof newAccount>>
const grant = ({ accountId }: Account, usd: number) =>
  app.operate({ operation: "grantCredit", accountId, usd, grantId: randomUUID() })
const read = async (account: Account, { task }: Container) => (await account.send(`GET /tasks/${task.id}`)).body
const codeOf = ({ status, body }: { status: number; body: { error?: { code: string } } }) => [status, body.error?.code]
const signalsOf = async (container: Container) => (await container.send("heartbeat", {})).body.signals
const next = async (account: Account, { task }: Container) => {
  const container = await containerOf(app, account.accountId, task, 2)
  return { container, bundle: (await container.claim()).body.claim.bundle }
}
const balances = async (account: Account) => {
  const entries = await items(app, `${account.accountId}#ledger`)
  const sum = entries.reduce((total, { amountMicros }) => total + amountMicros, 0)
  return { sum, balance: Math.round((await account.send("GET /account")).body.creditBalance * 1_000_000) }
}

/** Credit of which the table's stream has told nobody. */
const addUnheard = (accountId: string, usd: number) =>
  tableOf(app).send(
    new UpdateCommand({
      TableName: "dormouse",
      Key: { pk: accountId, sk: "account" },
      UpdateExpression: "ADD balanceMicros :more",
      ExpressionAttributeValues: { ":more": usd * 1_000_000 },
    }),
  )

describe("when the credit is used up", () => {
  test("a task at work is told to pause, sleeps, and goes on as soon as there is credit again", async () => {
    const account = await newAccount(app, { creditUsd: 1 })
    const container = await claimedContainer(app, account)
    expect(await signalsOf(container)).toEqual([])
    await grant(account, -1)
    expect(await signalsOf(container)).toEqual([{ kind: "pause" }])
    await container.send("release", { to: "pause" })
    expect(await read(account, container)).toMatchObject({
      status: "hibernating",
      statusReason: "no_credit",
      hibernateUntilAt: null,
      error: null,
    })
    const [event] = (await account.send(`GET /conversations/${container.task.id}/events`)).body.data
    expect(event).toMatchObject({ kind: "hibernation_requested", message: "Paused: The account's credit is used up." })
    const woken = await account.send(`POST /tasks/${container.task.id}/wake`, { kind: "external_wake" })
    expect(codeOf(woken)).toEqual([422, "waiting_for_credit"])

    await grant(account, 5)
    const { container: after, bundle } = await next(account, container)
    expect(bundle.wake).toMatchObject({ reason: "credit", message: null })
    // Being paused takes nothing from the sleep that the agent may ask for.
    expect(bundle.limits.hibernation.left_seconds).toBe(2_592_000)
    await after.send("complete", { result: "Done." })
    expect((await read(account, after)).status).toBe("finished")
    const { sum, balance } = await balances(account)
    expect(balance).toBe(sum)
  })

  test("a turn is not begun, and no message of it is lost", async () => {
    const account = await newAccount(app, { creditUsd: 1 })
    const container = await claimedContainer(app, account, { conversation: {} })
    await container.send("turns/complete", { turn_number: 1 })
    await container.send("release", { to: "await_input" })
    await grant(account, -1)
    await account.send(`POST /conversations/${container.task.id}/messages`, { content: "Go on." })
    await expect.poll(async () => (await read(account, container)).status, { timeout: 15_000 }).toBe("hibernating")
    await account.send(`POST /conversations/${container.task.id}/messages`, { content: "Please." })
    expect(await items(app, `${account.accountId}#${container.task.id}`, "run#")).toHaveLength(1)
    await grant(account, 5)
    const { bundle } = await next(account, container)
    const said = bundle.turn.messages.map(({ content }: { content: string }) => content)
    expect([bundle.turn.number, said]).toEqual([2, ["Go on.", "Please."]])
  })

  test("too little new credit wakes nobody, and a paused task can be cancelled", async () => {
    const account = await newAccount(app, { creditUsd: 1 })
    const container = await claimedContainer(app, account)
    await grant(account, -2)
    await container.send("release", { to: "pause" })
    await grant(account, 0.1)
    await grant(account, 0.1)
    expect((await read(account, container)).status).toBe("hibernating")
    await account.send(`POST /tasks/${container.task.id}/cancel`)
    expect(await read(account, container)).toMatchObject({ status: "cancelled" })
    expect(await items(app, `${account.accountId}#paused`)).toEqual([])
  })

  test("what comes while a task is about to pause, and is missed, wakes it all the same", async () => {
    const account = await newAccount(app, { creditUsd: 1 })
    const { accountId } = account
    const container = await claimedContainer(app, account)
    const taskId = container.task.id
    await grant(account, -1)
    await container.send("release", { to: "pause" })
    const waiting = async () => {
      const [task] = await items(app, `${accountId}#${taskId}`, "task")
      return items(app, `${accountId}#${taskId}`, `wait#${task!.waitId}`)
    }
    await expect.poll(waiting, { timeout: 15_000 }).toHaveLength(1)
    await addUnheard(accountId, 5)

    const [{ entry, tries, token }] = (await waiting()) as [Item]
    await invoke(app, "dormouse-lifecycle-park", { accountId, taskId, entry, tries, token, parkSeconds: 60 })
    expect((await next(account, container)).bundle.wake).toMatchObject({ reason: "credit" })
    expect(await items(app, `${accountId}#paused`)).toEqual([])
  })

  test("an account that is not charged never pauses", async () => {
    const account = await newAccount(app, { creditUsd: 0, billingMode: "unlimited_grant" })
    const container = await claimedContainer(app, account)
    expect(await signalsOf(container)).toEqual([])
  })
})

describe("what a conversation costs", () => {
  test("each turn of a run has an entry of its own, and together they are what the task cost", async () => {
    const account = await newAccount(app)
    const container = await claimedContainer(app, account, { conversation: {} })
    const tell = (content: string) => account.send(`POST /conversations/${container.task.id}/messages`, { content })
    await container.send("turns/complete", { turn_number: 1 })
    await tell("More.")
    await container.receive({ turn: 1, after: 1 })
    await container.send("turns/complete", { turn_number: 2 })
    await account.send(`POST /tasks/${container.task.id}/cancel`)
    const charges = await items(app, `${account.accountId}#ledger`, `charge#${container.runId}`)
    expect(charges.map(({ entryId }) => entryId)).toEqual([`charge#${container.runId}#1`, `charge#${container.runId}#2`])
    const seconds = charges.reduce((sum, charge) => sum + charge.seconds, 0)
    const task = await read(account, container)
    expect(task.containerMinutes).toBeCloseTo(seconds / 60, 6)
    const { sum, balance } = await balances(account)
    expect(balance).toBe(sum)
  })
})
