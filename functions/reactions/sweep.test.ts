import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3"
import { DescribeExecutionCommand, StopExecutionCommand } from "@aws-sdk/client-sfn"
import { UpdateCommand } from "@aws-sdk/lib-dynamodb"
import { marshall } from "@aws-sdk/util-dynamodb"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { millis } from "#core/clock.ts"
import { newAccount } from "#test/app.ts"
import { configOf, type Item, invoke, items, objectAt, sfnOf, tableOf } from "#test/aws.ts"
import { type Container, containerOf, forgetArn, statusOf, type Task } from "#test/container.ts"
import { newAgent, newFile, newTask, put } from "#test/make.ts"
import { type OwnStack, ownStack, withoutSchedules } from "#test/stack.ts"
import { moveTime } from "#test/time.ts"

// The stack of this file has nobody who reads the table's stream: whatever should follow from a commit does not happen.

const time = moveTime()
const minutes = 60_000
let app: OwnStack
let account: Awaited<ReturnType<typeof newAccount>>

beforeAll(async () => {
  app = await ownStack({}, undefined, { idle: true, rewire: (wiring) => ({ ...withoutSchedules(wiring), eventSources: [] }) })
  account = await newAccount(app, { creditUsd: 20 })
})

afterAll(async () => {
  await app.stop()
  time.release()
})

const dispatched = async () => newTask(account, (await newAgent(account)).id)
const nothing = { tasks: 0, uploads: 0, files: 0, deliveries: 0, batches: 0 }
const sweep = () => invoke(app, "dormouse-reactions-sweep", { source: "aws.events", "detail-type": "Scheduled Event" })
const runsOf = (task: Task) => items(app, `${account.accountId}#${task.id}`, "run#")
const rowOf = async (task: Task) => (await items(app, `${account.accountId}#${task.id}`, "task"))[0]!
const executionOf = (task: Task) => `arn:aws:states:us-east-1:000000000000:execution:dormouse-task:${task.id}-1`
const executionStatus = async (task: Task) =>
  (await sfnOf(app).send(new DescribeExecutionCommand({ executionArn: executionOf(task) }))).status

/** How many events of a type the bus was told. */
const announced = (type: string) => app.stack.counters.events.get(type) ?? 0

/** A task whose execution the sweeper had to start, with its container at work. */
const swept = async (): Promise<Container> => {
  const task = await dispatched()
  time.advance(11 * minutes)
  await sweep()
  const container = await containerOf(app, account.accountId, task)
  await container.claim()
  return container
}

describe("a task whose execution was never started", () => {
  test("works: after ten minutes it is found and started, once", async () => {
    const task = await dispatched()
    await sweep()
    expect(await runsOf(task)).toEqual([])

    time.advance(11 * minutes)
    await Promise.all([sweep(), sweep()])
    const container = await containerOf(app, account.accountId, task)
    expect((await container.claim()).status).toBe(200)
    expect(await runsOf(task)).toHaveLength(1)
    await container.send("complete", { result: null })
  })

  test("works: an operator has it started at once, and once", async () => {
    const task = await dispatched()
    const redrive = { operation: "redriveTask", taskId: task.id, accountId: account.accountId }
    expect(await app.operate(redrive)).toMatchObject({ done: "started" })
    expect(await app.operate(redrive)).toMatchObject({ done: "nothing" })
    const container = await containerOf(app, account.accountId, task)
    await container.claim()
    await container.send("complete", { result: null })
  })

  test("twice: it is left alone for an hour", async () => {
    const container = await swept()
    const before = await rowOf(container.task)
    expect(await sweep()).toMatchObject(nothing)
    expect(await rowOf(container.task)).toEqual(before)
    await container.send("complete", { result: null })
  })
})

describe("a task that has ended", () => {
  test("works: where nobody has heard of its beginning, the bus is told of its whole life", async () => {
    const { id } = await dispatched()
    await account.send(`POST /tasks/${id}/cancel`)
    const before = announced("task.created")
    time.advance(11 * minutes)
    for (let i = 0; i < 2; i++) await sweep()
    expect(announced("task.created")).toBe(before + 1)
    const events = await items(app, `${account.accountId}#${id}`, "event#")
    expect(events.map(({ type }) => type)).toEqual(["task.created", "task.turn.queued", "task.cancelled"])
    expect(events.filter(({ sweepAt }) => sweepAt)).toEqual([])
    expect(await rowOf({ id })).not.toHaveProperty("sweepAt")
    expect(await runsOf({ id })).toEqual([])
  })

  test("absent: is not looked at, however late it is", async () => {
    const container = await swept()
    await container.send("complete", { result: null })
    time.advance(100 * 60 * minutes)
    expect(await sweep()).toMatchObject(nothing)
  })
})

describe("an execution that ended badly", () => {
  test("works: its task fails at once, its container is stopped and its reservation is given back", async () => {
    const container = await swept()
    const balance = async () => (await account.send("GET /account")).body.creditBalance
    const before = await balance()
    await sfnOf(app).send(
      new StopExecutionCommand({ executionArn: executionOf(container.task), error: "Operator", cause: "Stopped by hand." }),
    )
    await expect
      .poll(async () => (await account.send(`GET /tasks/${container.task.id}`)).body, { timeout: 10_000 })
      .toMatchObject({ status: "failed", error: "The task could not be run: Stopped by hand.", costUsd: 0 })
    await expect.poll(() => statusOf(app, container), { timeout: 10_000 }).toBe("STOPPED")
    expect(await balance()).toBe(before + 0.5)
  })

  test("works: its container is stopped also where the call that started it could not say which one it is", async () => {
    const container = await swept()
    await forgetArn(app, account.accountId, container)
    await sfnOf(app).send(new StopExecutionCommand({ executionArn: executionOf(container.task) }))
    await expect.poll(() => statusOf(app, container), { timeout: 10_000 }).toBe("STOPPED")
  })

  test("twice: being told of it again changes nothing", async () => {
    const container = await swept()
    await sfnOf(app).send(new StopExecutionCommand({ executionArn: executionOf(container.task) }))
    await expect.poll(async () => (await rowOf(container.task)).status, { timeout: 10_000 }).toBe("failed")
    const before = await items(app, `${account.accountId}#${container.task.id}`)
    await invoke(app, "dormouse-reactions-sweep", {
      "detail-type": "Step Functions Execution Status Change",
      detail: { executionArn: executionOf(container.task), status: "ABORTED" },
    })
    expect(await items(app, `${account.accountId}#${container.task.id}`)).toEqual(before)
  })

  test("absent: an execution that is not there is nothing", async () => {
    const event = {
      "detail-type": "Step Functions Execution Status Change",
      detail: { executionArn: executionOf({ id: "tsk_nothing" }), status: "FAILED" },
    }
    expect(await invoke(app, "dormouse-reactions-sweep", event)).toBeNull()
  })
})

describe("an execution that was not told that its run has ended", () => {
  test("meanwhile: finds out by its heartbeat, starts nothing more and succeeds", async () => {
    const container = await swept()
    await container.send("complete", { result: "Done." })
    expect(await executionStatus(container.task)).toBe("RUNNING")
    time.advance(11 * minutes)
    await expect.poll(() => executionStatus(container.task), { timeout: 15_000 }).toBe("SUCCEEDED")
    expect(await runsOf(container.task)).toHaveLength(1)
    expect((await rowOf(container.task)).status).toBe("finished")
  })
})

describe("an upload that nobody completes", () => {
  const storage = async () => (await account.send("GET /account")).body.fileStorage
  const prepared = () => account.send("POST /uploads/prepare", { filename: "late.csv", sizeBytes: 5 })
  const complete = (uploadId: string) => account.send("POST /uploads/complete", { uploadId })
  const objectIn = (uploadId: string) => objectAt(app, `files/${account.accountId}/${uploadId}`)

  test("works: an hour after its address has gone stale its room is free again, and its bytes are gone", async () => {
    const { usedBytes, reservedBytes } = await storage()
    const upload = await prepared()
    await put(upload, "12345")
    time.advance(14 * minutes)
    expect((await storage()).reservedBytes).toBe(reservedBytes + 5)

    time.advance(2 * minutes)
    const stale = await prepared()
    time.advance(16 * minutes)
    expect((await put(stale, "12345")).status).toBe(403)

    time.advance(61 * minutes)
    expect(await objectIn(upload.body.uploadId)).toBe(200)
    await Promise.all([sweep(), sweep()])
    expect(await storage()).toMatchObject({ usedBytes, reservedBytes })
    expect(await objectIn(upload.body.uploadId)).toBe(404)
    const { status, body } = await complete(upload.body.uploadId)
    expect([status, body.error.code]).toEqual([422, "upload_expired"])
    expect(await sweep()).toMatchObject(nothing)
  })

  test("meanwhile: bytes that were long on their way are taken until then", async () => {
    const upload = await prepared()
    await put(upload, "12345")
    time.advance(70 * minutes)
    await sweep()
    const { status, body } = await complete(upload.body.uploadId)
    expect(status).toBe(201)
    time.advance(24 * 60 * minutes)
    expect(await sweep()).toMatchObject(nothing)
    expect((await account.send(`GET /files/${body.id}/content`)).body).toBe("12345")
  })

  test("twice: a sweep that was interrupted is taken up where it was, and gives nothing back again", async () => {
    const { reservedBytes } = await storage()
    const { uploadId } = (await prepared()).body
    time.advance(80 * minutes)
    await sweep()
    await tableOf(app).send(
      new UpdateCommand({
        TableName: "dormouse",
        Key: { pk: `${account.accountId}#uploads`, sk: `upload#${uploadId}` },
        UpdateExpression: "SET sweepShard = :shard, sweepAt = :at, sweepPk = :pk, sweepSk = :at",
        ExpressionAttributeValues: { ":shard": "0", ":at": "2026-01-01T00:00:00.000Z", ":pk": "sweep-uploads#0" },
      }),
    )
    expect(await sweep()).toMatchObject({ ...nothing, uploads: 1 })
    expect(await sweep()).toMatchObject(nothing)
    expect((await storage()).reservedBytes).toBe(reservedBytes)
  })

  test("meanwhile: one that was completed since the index was read keeps its bytes", async () => {
    const upload = await prepared()
    await put(upload, "12345")
    const { body: file } = await complete(upload.body.uploadId)
    await tableOf(app).send(
      new UpdateCommand({
        TableName: "dormouse",
        Key: { pk: `${account.accountId}#uploads`, sk: `upload#${upload.body.uploadId}` },
        UpdateExpression: "SET sweepShard = :shard, sweepAt = :at, sweepPk = :pk, sweepSk = :at",
        ExpressionAttributeValues: { ":shard": "0", ":at": "2026-01-01T00:00:00.000Z", ":pk": "sweep-uploads#0" },
      }),
    )
    await sweep()
    expect((await account.send(`GET /files/${file.id}/content`)).body).toBe("12345")
    await tableOf(app).send(
      new UpdateCommand({
        TableName: "dormouse",
        Key: { pk: `${account.accountId}#uploads`, sk: `upload#${upload.body.uploadId}` },
        UpdateExpression: "REMOVE sweepShard, sweepAt, sweepPk, sweepSk",
      }),
    )
  })

  test("meanwhile: completed or given up at the same moment, it is one of the two, and counted so", async () => {
    const { usedBytes, reservedBytes } = await storage()
    // One after the other, since it is not what is raced: many environments of one function would have to start at once.
    const uploads: Awaited<ReturnType<typeof prepared>>[] = []
    for (let i = 0; i < 4; i++) uploads.push(await prepared())
    for (const upload of uploads) await put(upload, "12345")
    time.advance(80 * minutes)
    const [, ...answers] = await Promise.all([sweep(), ...uploads.map(({ body }) => complete(body.uploadId))])
    await sweep()
    const files = answers.filter(({ status }) => status === 201)
    const refused = answers.filter(({ status }) => status !== 201).map(({ body }) => body.error.code)
    expect(refused.filter((code) => code !== "upload_expired" && code !== "upload_incomplete")).toEqual([])
    expect(await storage()).toMatchObject({ usedBytes: usedBytes + 5 * files.length, reservedBytes })
    for (const { body } of files) expect((await account.send(`GET /files/${body.id}/content`)).body).toBe("12345")
  })
})

describe("a file that was deleted", () => {
  test("works: a week later its bytes are gone, and nothing is left of it", async () => {
    const file = await newFile(account, "12345")
    const [row] = await items(app, `${account.accountId}#files`, `file#${file.id}`)
    await account.send(`DELETE /files/${file.id}`)
    time.advance(6 * 24 * 60 * minutes)
    await sweep()
    expect(await objectAt(app, row!.objectKey)).toBe(200)

    time.advance(25 * 60 * minutes)
    await Promise.all([sweep(), sweep()])
    expect(await objectAt(app, row!.objectKey)).toBe(404)
    expect(await items(app, `${account.accountId}#files`, `file#${file.id}`)).toEqual([])
  })
})

describe("what was committed and never published, without a trace of it in the stream", () => {
  const isPublished = ({ sweepAt, sweepPk, sweepSk }: Item) => [sweepAt, sweepPk, sweepSk].every((value) => value === undefined)
  const stored = async (task: Task, prefix: string) => items(app, `${account.accountId}#${task.id}`, prefix)

  test("is found after ten minutes, and published: events go on the bus, waitings end", async () => {
    const task = await dispatched()
    const created = [announced("task.created"), announced("task.turn.queued")] as const
    time.advance(11 * minutes)
    // The task comes first, and what nobody has told of it a sweep later.
    await sweep()
    await sweep()
    expect([announced("task.created"), announced("task.turn.queued")]).toEqual([created[0] + 1, created[1] + 1])

    const container = await containerOf(app, account.accountId, task)
    await container.claim()
    const finished = announced("task.finished")
    await container.send("complete", { result: null })
    const committed = async () => [...(await stored(task, "event#")).slice(2), ...(await stored(task, "signal#"))]
    expect((await committed()).map(isPublished)).toEqual([false, false, false, false])
    time.advance(11 * minutes)
    await sweep()
    expect((await committed()).map(isPublished)).toEqual([true, true, true, true])
    expect(announced("task.finished")).toBe(finished + 1)
    await expect.poll(() => executionStatus(task), { timeout: 15_000 }).toBe("SUCCEEDED")
    const after = announced("task.finished")
    expect(await sweep()).toMatchObject({ published: 0 })
    expect(announced("task.finished")).toBe(after)
  })

  test("is a sleep and a cancellation in it: the execution goes by both, and ends", async () => {
    const container = await swept()
    const until = new Date(millis() + 60 * minutes).toISOString()
    await container.send("release", { to: "hibernate", until, reason: "Nothing to do." })
    await account.send(`POST /tasks/${container.task.id}/cancel`)
    time.advance(11 * minutes)
    await sweep()
    expect((await stored(container.task, "signal#")).map(isPublished)).toEqual([true, true])
    await expect.poll(() => executionStatus(container.task), { timeout: 15_000 }).toBe("SUCCEEDED")
    expect((await rowOf(container.task)).status).toBe("cancelled")
  })
})

describe("a batch of the table's stream that Lambda gave up", () => {
  const Bucket = "dormouse-data-000000000000"
  const put = (name: string, images: unknown[]) => {
    const payload = JSON.stringify({ Records: images.map((NewImage) => ({ eventName: "INSERT", dynamodb: { NewImage } })) })
    const Key = `aws/lambda/event-source/2026/01/01/${name}`
    return new S3Client({ ...configOf(app), forcePathStyle: true }).send(
      new PutObjectCommand({ Bucket, Key, Body: JSON.stringify({ payload }) }),
    )
  }
  const createdOf = async (task: Task) => marshall((await items(app, `${account.accountId}#${task.id}`, "event#"))[0]!)

  test("is published after all, and gone then", async () => {
    const task = await dispatched()
    await sweep()
    await put("lost", [await createdOf(task)])
    const before = announced("task.created")
    expect(await sweep()).toMatchObject({ batches: 1 })
    expect(announced("task.created")).toBe(before + 1)
    expect(await sweep()).toMatchObject({ batches: 0 })
    const container = await containerOf(app, account.accountId, task)
    expect((await container.claim()).status).toBe(200)
    await container.send("complete", { result: null })
  })

  test("that cannot be published stays for a day, and keeps nothing else from being published: no batch, no record of its own", async () => {
    await sweep()
    const task = await dispatched()
    for (let i = 0; i < 12; i++) await put(`a-broken-${i}`, [{ pk: "nothing" }])
    await put("b-mixed", [{ pk: "nothing" }, await createdOf(task)])
    const before = announced("task.created")
    await expect(sweep()).rejects.toThrow("13 of 13 could not be done")
    expect(announced("task.created")).toBe(before + 1)
    const container = await containerOf(app, account.accountId, task)
    expect((await container.claim()).status).toBe(200)
    await container.send("complete", { result: null })
    time.advance(25 * 60 * minutes)
    expect(await sweep()).toMatchObject({ batches: 0 })
  })
})
