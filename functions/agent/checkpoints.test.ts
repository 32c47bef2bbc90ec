import { ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3"
import { UpdateCommand } from "@aws-sdk/lib-dynamodb"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { type App, newAccount, shared } from "#test/app.ts"
import { configOf, invoke, items, tableOf } from "#test/aws.ts"
import { type Container, claimedContainer } from "#test/container.ts"
import { type OwnStack, ownStack } from "#test/stack.ts"
import { moveTime } from "#test/time.ts"

type Account = Awaited<ReturnType<typeof newAccount>>

const app = shared()
const account = await newAccount(app)
let container: Container

beforeAll(async () => {
  container = await claimedContainer(app, account)
})

const codeOf = ({ status, body }: { status: number; body: { error?: { code: string } } }) => [status, body.error?.code]

/** Stores objects as the daemon does, and answers them as `commit` wants them. */
const store = async (container: Container, objects: Record<string, string>) => {
  const added = Object.entries(objects).map(([name, text]) => ({ name: `${container.runId}/${name}`, size_bytes: text.length }))
  const { body } = await container.send("checkpoints/prepare", { objects: added })
  for (const [i, { upload_url, method, headers }] of body.objects.entries())
    expect((await fetch(upload_url, { method, headers, body: Object.values(objects)[i]! })).status).toBe(200)
  return added
}

const commit = async (
  container: Container,
  previous: string | null,
  objects: Record<string, string>,
  released: string[] = [],
) => {
  const added = await store(container, objects)
  return container.send("checkpoints/commit", { previous, segment: added.at(-1)!.name, added, released })
}

const usedBy = async (account: Account): Promise<number> => (await account.send("GET /account")).body.checkpointStorage.usedBytes
const rowOf = async (app: App, accountId: string, container: Container) =>
  (await items(app, `${accountId}#${container.task.id}`, "checkpoint"))[0]

describe("POST /agent/tasks/{run_id}/checkpoints/prepare", () => {
  const prepare = (...objects: [name: string, size: number][]) =>
    container.send("checkpoints/prepare", { objects: objects.map(([name, size_bytes]) => ({ name, size_bytes })) })

  test("200: an address takes the bytes that were announced, and takes them once", async () => {
    const { status, body } = await prepare([`${container.runId}/p1`, 5])
    expect(status).toBe(200)
    const [{ upload_url, ...rest }] = body.objects
    expect(rest).toEqual({
      name: `${container.runId}/p1`,
      method: "PUT",
      headers: { "content-length": "5", "if-none-match": "*" },
    })
    const put = (text: string, headers: Record<string, string>) => fetch(upload_url, { method: "PUT", headers, body: text })
    expect((await put("123456", { "if-none-match": "*" })).status).toBe(403)
    expect((await put("12345", {})).status).toBe(403)
    expect((await put("12345", { "if-none-match": "*" })).status).toBe(200)
    expect((await put("54321", { "if-none-match": "*" })).status).toBe(412)
  })

  test.each(["p1", "/p1", "run_of_another/p1", "../p1", "x/y/p1"])(
    "422 invalid_request: %j is no name for this run",
    async (name) => {
      expect(codeOf(await prepare([name, 1]))).toEqual([422, "invalid_request"])
    },
  )

  test.each([0, -1, 1.5, 64 * 1024 ** 2 + 1])("422 invalid_request: %j is no size", async (size) => {
    expect(codeOf(await prepare([`${container.runId}/p1`, size]))).toEqual([422, "invalid_request"])
  })

  test("422 checkpoint_quota_exceeded: before anything is uploaded, where the account has no room", async () => {
    const full = await newAccount(app)
    const own = await claimedContainer(app, full)
    await tableOf(app).send(
      new UpdateCommand({
        TableName: "dormouse",
        Key: { pk: full.accountId, sk: "account" },
        UpdateExpression: "SET checkpointBytes = :bytes",
        ExpressionAttributeValues: { ":bytes": 20 * 1024 ** 3 - 10 },
      }),
    )
    const object = (size_bytes: number) => ({ objects: [{ name: `${own.runId}/s1`, size_bytes }] })
    expect(codeOf(await own.send("checkpoints/prepare", object(11)))).toEqual([422, "checkpoint_quota_exceeded"])
    expect((await commit(own, null, { s1: "0123456789" })).status).toBe(200)
    expect(await usedBy(full)).toBe(20 * 1024 ** 3)
    await own.send("complete", { result: null })
    await vi.waitFor(async () => expect(await usedBy(full)).toBe(20 * 1024 ** 3 - 10), { timeout: 10_000 })
  })
})

describe("POST /agent/tasks/{run_id}/checkpoints/commit", () => {
  test("200: the head is moved, what is live counts on the account, and what was released is deleted", async () => {
    const other = await newAccount(app)
    const own = await claimedContainer(app, other)
    const name = (short: string) => `${own.runId}/${short}`
    expect((await commit(own, null, { p1: "12345", s1: "123" })).body).toEqual({ live_bytes: 8 })
    expect(await usedBy(other)).toBe(8)
    expect((await commit(own, name("s1"), { p2: "12", s2: "1" })).body).toEqual({ live_bytes: 11 })
    const { body } = await commit(own, name("s2"), { p3: "1", s3: "1" }, [name("p1"), name("s1"), name("s2")])
    expect(body).toEqual({ live_bytes: 4 })
    expect(await usedBy(other)).toBe(4)
    const { head, objects } = (await rowOf(app, other.accountId, own))!
    expect([head, objects.map(({ name }: { name: string }) => name)]).toEqual([name("s3"), ["p2", "p3", "s3"].map(name)])
    const stored = await new S3Client({ ...configOf(app), forcePathStyle: true }).send(
      new ListObjectsV2Command({ Bucket: "dormouse-data-000000000000", Prefix: `checkpoints/${other.accountId}/` }),
    )
    expect(stored.Contents!.map(({ Key }) => Key!.split("/").at(-1))).toEqual(["p2", "p3", "s3"])
  })

  test("200: sent again it answers the same, and counts once", async () => {
    const other = await newAccount(app)
    const own = await claimedContainer(app, other)
    const added = await store(own, { p1: "12345", s1: "123" })
    const move = { previous: null, segment: added[1]!.name, added, released: [] }
    expect((await own.send("checkpoints/commit", move)).body).toEqual({ live_bytes: 8 })
    expect((await own.send("checkpoints/commit", move)).body).toEqual({ live_bytes: 8 })
    expect(await usedBy(other)).toBe(8)
  })

  test("409 conflict: the head is elsewhere than the container believes", async () => {
    const own = await claimedContainer(app, account)
    await commit(own, null, { s1: "1" })
    expect(codeOf(await commit(own, null, { s2: "1" }))).toEqual([409, "conflict"])
    expect(codeOf(await commit(own, `${own.runId}/s7`, { s3: "1" }))).toEqual([409, "conflict"])
    expect((await rowOf(app, account.accountId, own))!.head).toBe(`${own.runId}/s1`)
  })

  test("409 lease_lost: a run that has ended moves nothing", async () => {
    const own = await claimedContainer(app, account)
    const added = await store(own, { s1: "1" })
    await own.send("complete", { result: null })
    const move = { previous: null, segment: added[0]!.name, added, released: [] }
    expect(codeOf(await own.send("checkpoints/commit", move))).toEqual([409, "lease_lost"])
    expect(codeOf(await own.send("checkpoints/prepare", { objects: added }))).toEqual([409, "lease_lost"])
    expect(codeOf(await own.send("checkpoints/addresses", { names: [added[0]!.name] }))).toEqual([409, "lease_lost"])
  })

  test("422 upload_incomplete: a part is missing, or has another size", async () => {
    const own = await claimedContainer(app, account)
    const added = await store(own, { p1: "12345", s1: "123" })
    const name = (short: string) => `${own.runId}/${short}`
    const move = (parts: object[]) =>
      own.send("checkpoints/commit", { previous: null, segment: name("s1"), added: parts, released: [] })
    expect(codeOf(await move([{ name: name("p9"), size_bytes: 1 }, ...added]))).toEqual([422, "upload_incomplete"])
    expect(codeOf(await move([{ name: name("p1"), size_bytes: 4 }, added[1]!]))).toEqual([422, "upload_incomplete"])
  })

  test("422 invalid_request: a segment that is not added, an object that is added twice, one released that is not there", async () => {
    const own = await claimedContainer(app, account)
    const added = await store(own, { p1: "12345", s1: "123" })
    const move = (changes: object) =>
      own.send("checkpoints/commit", { previous: null, segment: added[1]!.name, added, released: [], ...changes })
    for (const changes of [
      { segment: `${own.runId}/s2` },
      { segment: added[0]!.name, added: [added[0]] },
      { added: [added[0], ...added] },
      { released: [`${own.runId}/p7`] },
      { added: [{ name: "run_of_another/p1", size_bytes: 1 }, ...added] },
    ])
      expect(codeOf(await move(changes))).toEqual([422, "invalid_request"])
  })
})

describe("POST /agent/tasks/{run_id}/checkpoints/addresses", () => {
  test("200: what the checkpoint consists of can be read there", async () => {
    const own = await claimedContainer(app, account)
    await commit(own, null, { p1: "pack", s1: "segment" })
    const names = ["s1", "p1"].map((short) => `${own.runId}/${short}`)
    const { status, body } = await own.send("checkpoints/addresses", { names })
    expect(status).toBe(200)
    const read = body.objects.map(async ({ url }: { url: string }) => (await fetch(url)).text())
    expect(await Promise.all(read)).toEqual(["segment", "pack"])
  })

  test("404 not_found: what is stored but belongs to no checkpoint, or to another task's", async () => {
    const own = await claimedContainer(app, account)
    const other = await claimedContainer(app, account)
    const [theirs] = await store(own, { s1: "1" })
    await commit(other, null, { s1: "1" })
    for (const name of [theirs!.name, `${other.runId}/s1`])
      expect(codeOf(await own.send("checkpoints/addresses", { names: [name] }))).toEqual([404, "not_found"])
  })
})

describe("when a task has ended", () => {
  const days = 86_400_000
  const time = moveTime()
  let stack: OwnStack
  let owner: Account

  beforeAll(async () => {
    stack = await ownStack({}, undefined, { idle: true })
    owner = await newAccount(stack)
  })
  afterAll(async () => {
    await stack.stop()
    time.release()
  })

  const sweep = () => invoke(stack, "dormouse-reactions-sweep", { source: "aws.events", "detail-type": "Scheduled Event" })
  const stored = async () => {
    const s3 = new S3Client({ ...configOf(stack), forcePathStyle: true })
    const { Contents = [] } = await s3.send(
      new ListObjectsV2Command({ Bucket: "dormouse-data-000000000000", Prefix: `checkpoints/${owner.accountId}/` }),
    )
    return Contents.length
  }

  test("its checkpoint counts no longer at once, and is deleted after a week with all that was ever stored for it", async () => {
    const container = await claimedContainer(stack, owner, { agent: {} })
    await commit(container, null, { p1: "12345", s1: "123" })
    await store(container, { p2: "never committed" })
    expect(await usedBy(owner)).toBe(8)

    await container.send("complete", { result: null })
    await vi.waitFor(async () => expect(await usedBy(owner)).toBe(0), { timeout: 10_000 })
    time.advance(6 * days)
    await sweep()
    expect(await stored()).toBe(3)

    time.advance(1 * days)
    await sweep()
    await sweep()
    expect(await stored()).toBe(0)
    expect(await rowOf(stack, owner.accountId, container)).toBeUndefined()
    expect(await usedBy(owner)).toBe(0)
  })
})
