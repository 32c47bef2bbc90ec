import { execFile, spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DynamoDBClient } from "@aws-sdk/client-dynamodb"
import { ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3"
import { StopExecutionCommand } from "@aws-sdk/client-sfn"
import { DynamoDBDocumentClient, ScanCommand } from "@aws-sdk/lib-dynamodb"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { millis } from "#core/clock.ts"
import type { Wiring } from "#local/wiring.ts"
import { as } from "#test/app.ts"
import { published, sfnOf } from "#test/aws.ts"
import { type Container, claimedContainer, containerOf, forgetArn, statusOf, storeOutput } from "#test/container.ts"
import { newAgent, newFile, newTask } from "#test/make.ts"
import { answering, type Receiver, startReceiver } from "#test/receiver.ts"
import { type OwnStack, ownStack, withoutRules } from "#test/stack.ts"
import { moveTime } from "#test/time.ts"
import { untilEnded } from "#test/until.ts"
import { storyText } from "./render.ts"

const time = moveTime()
let app: OwnStack
let receiver: Receiver

/** Nobody hears by himself that an execution ended badly. */
const withoutEnds = (wiring: Wiring) => withoutRules(wiring, ({ name }) => name === "dormouse-ended")

beforeAll(async () => {
  receiver = await startReceiver()
  app = await ownStack({}, undefined, { idle: true, rewire: withoutEnds })
})
afterAll(async () => {
  await app.stop()
  await receiver.close()
  time.release()
})

const main = join(import.meta.dirname, "main.ts")

/** Runs the command line as an operator does, in a process of its own; the stack of this file is in this process, so it must not block. */
const dormouse = (...words: string[]): Promise<{ code: number; out: string; err: string }> => {
  const here = ["--local", "--data", app.data, "--aws-port", new URL(app.awsUrl).port]
  return new Promise((resolve) =>
    execFile(process.execPath, [main, ...here, ...words], (error, out, err) =>
      resolve({ code: typeof error?.code === "number" ? error.code : 0, out: out.trim(), err: err.trim() }),
    ),
  )
}

const field = (text: string, name: string) => new RegExp(`^${name}\\s+(\\S+)$`, "m").exec(text)?.[1] ?? ""

/** An account with credit and a key, all made by the command line. */
const onboard = async () => {
  const accountId = field((await dormouse("account", "create", "--name", "Acme")).out, "accountId")
  const key = field((await dormouse("key", "create", accountId)).out, "apiKey")
  await dormouse("credit", "grant", accountId, "20", "--id", "invoice-1")
  return { accountId, apiKey: key, ...as(app, key) }
}

describe("an operator's commands", () => {
  test("make an account, its key and its credit, once for the same id", async () => {
    const account = await onboard()
    const grant = (usd: string, id: string) => dormouse("credit", "grant", "--id", id, "--", account.accountId, usd)
    const again = expect.stringMatching(/^already granted 20 USD on 20\S+Z: the balance is 20 USD$/)
    expect(await grant("20", "invoice-1")).toEqual({ code: 0, out: again, err: "" })
    const otherwise = expect.stringMatching(
      /^invoice-1 was granted on 20\S+Z with 20 USD, not 60 USD: nothing was granted now\.$/,
    )
    expect(await grant("60", "invoice-1")).toEqual({ code: 1, out: "", err: otherwise })
    expect((await grant("5", "invoice-2")).out).toBe("granted 5 USD: the balance is 25 USD")
    expect((await grant("-5", "correction")).out).toBe("granted -5 USD: the balance is 20 USD")

    const { status, body } = await account.send("GET /account")
    expect(status).toBe(200)
    expect(body).toMatchObject({ id: account.accountId, name: "Acme", creditBalance: 20, billingMode: "standard" })
  })

  test("show the whole story of a task, found by its id alone", async () => {
    const account = await onboard()
    const container = await claimedContainer(app, account)
    await container.send("complete", { result: "Done." })
    await untilEnded(account, container.task.id)
    const show = async () => (await dormouse("task", "show", container.task.id)).out
    await expect.poll(show, { timeout: 20_000 }).toContain("execution.succeeded")

    const out = await show()

    const happened = [...out.matchAll(/^ {2}\d{4}-\S+Z\s+(?:\+\S+ \S+)?\s+(\S+)/gm)].map(([, what]) => what)
    expect(happened.toSorted()).toEqual(
      [
        "task.created",
        "task.turn.queued",
        "execution.started",
        "run.starting",
        "run.claimed",
        "task.turn.started",
        "run.completed",
        "task.turn.completed",
        "task.finished",
        "execution.succeeded",
      ].toSorted(),
    )
    expect(out).toContain(`${container.task.id}  finished  (autonomous)`)
    expect(out).toContain(account.accountId)
    expect(out).not.toContain(account.apiKey)
  })

  test("show why the last run of a task has ended, where that was not its work's end", async () => {
    const account = await onboard()
    const end = async (way: (container: Container) => Promise<unknown>) => {
      const container = await claimedContainer(app, account)
      await way(container)
      await container.send("fail", { error: "The disk is full." })
      return (await dormouse("task", "show", container.task.id)).out
    }
    expect(await end(async () => undefined)).toMatch(/ run\.failed +The disk is full\.; 0 model requests/)
    const cancel = ({ task }: Container) => account.send(`POST /tasks/${task.id}/cancel`)
    expect(await end(cancel)).toMatch(/ run\.cancelled +The task was cancelled\.; 0 model requests/)
  })

  test("show a warm conversation that was cancelled as that, and one heartbeat as one", async () => {
    const account = await onboard()
    const container = await claimedContainer(app, account, { conversation: {} })
    const show = async () => (await dormouse("task", "show", container.task.id)).out
    expect(await show()).toMatch(/ model +\S+\/\S+\n +container +1 attempt\n/)
    await container.send("heartbeat", {})
    time.advance(2000)
    await container.send("turns/complete", { turn_number: 1, messages: [] })
    expect(await show()).toMatch(/ tokens, \$0 so far\n +container +\d+ s in 1 attempt, \S+ so far\n/)
    await account.send(`POST /tasks/${container.task.id}/cancel`)
    expect(await show()).toMatch(/ run\.cancelled +The task was cancelled\.; 0 model requests, 1 heartbeat$/m)
  })

  test("show why a task slept, who woke it, and how each delivery to a webhook went, as the guide has it", async () => {
    const account = await onboard()
    const show = async () => (await dormouse("task", "show", container.task.id)).out
    receiver.behaviours["/hook"] = answering(503)
    const eventTypes = ["task.hibernating", "task.woken", "task.finished"]
    await account.send("POST /webhooks", { url: `${receiver.url}/hook`, eventTypes })
    const container = await claimedContainer(app, account)
    const until = new Date(millis() + 86_400_000).toISOString()
    await container.send("release", { to: "hibernate", until, reason: "The review is not done." })
    await expect
      .poll(show, { timeout: 20_000 })
      .toMatch(/ delivery\.retrying .* 1 attempt; The receiver answered 503; the next at 20\S+Z/)

    receiver.behaviours["/hook"] = answering(204)
    time.advance(8 * 3_600_000)
    await account.send(`POST /tasks/${container.task.id}/wake`, { kind: "external_wake" })
    const next = await containerOf(app, account.accountId, container.task, 2)
    await next.claim()
    await next.send("complete", { result: "Done." })
    await untilEnded(account, container.task.id)
    const isOver = async () => (await show()).match(/ delivery\.delivered | execution\.succeeded /g)?.length === 4
    await expect.poll(isOver, { timeout: 20_000 }).toBe(true)

    const told = (await show()).replaceAll(`127.0.0.1:${receiver.port}`, "hooks.example.com")
    const guide = new URL("../docs/operate.md", import.meta.url)
    const text = readFileSync(guide, "utf8")
    const [before, shown = "", after] = text.split(/(?<=<!-- story -->\n```\n)([\s\S]*)(?=\n```\n<!-- \/story -->)/)
    if (process.env.UPDATE_DOCS) writeFileSync(guide, `${before}${told}${after}`)
    else expect(likeAny(told)).toEqual(likeAny(shown))
    const times = [...told.matchAll(/^ {2}(\S+Z) /gm)].map(([, at]) => at)
    expect(times).toEqual(times.toSorted())
  })

  /** The lines of a story without what is another in each, in the order of the alphabet: who is faster, a receiver or a container, is open. */
  const likeAny = (story: string) =>
    story
      .replace(/_[0-9A-Z]{26}/g, "_…")
      .replace(/\d{4}-\S+?Z( +\+\S+ \S+)?/g, "TIME")
      .replace(/\b[0-9a-f]{32}\b|\d+ s in|\$[\d.]+/g, "…")
      .split("\n")
      .map((line) => line.trimEnd())
      .toSorted()

  test("leave a task alone that is being run, and say so", async () => {
    const account = await onboard()
    const container = await claimedContainer(app, account)
    const { id } = container.task
    const redrive = async () => (await dormouse("task", "redrive", id)).out

    expect(await redrive()).toMatch(/^Its container renewed its lease \d+ s ago: nothing to do\.$/)
    expect((await account.send(`GET /tasks/${id}`)).body.status).toBe("running")
    const until = new Date(millis() + 86_400_000).toISOString()
    await container.send("release", { to: "hibernate", until, reason: "The review is not done." })
    expect(await redrive()).toBe(`The task sleeps until ${until}: nothing to do.`)
    await account.send(`POST /tasks/${id}/cancel`)
    expect(await redrive()).toBe("The task has ended as cancelled: nothing to do.")
  })

  test("end a task whose execution has ended without it, and stop its container", async () => {
    const account = await onboard()
    const container = await claimedContainer(app, account)
    const { id } = container.task
    await forgetArn(app, account.accountId, container)
    const executionArn = `arn:aws:states:us-east-1:000000000000:execution:dormouse-task:${id}-1`
    await sfnOf(app).send(new StopExecutionCommand({ executionArn }))
    const out = "Its execution had ended as ABORTED without it: now the task has ended as failed."
    expect(await dormouse("task", "redrive", id)).toEqual({ code: 0, out, err: "" })
    expect((await account.send(`GET /tasks/${id}`)).body.status).toBe("failed")
    await expect.poll(() => statusOf(app, container), { timeout: 10_000 }).toBe("STOPPED")
  })

  test("write on the operator's terminal in lines of their own, whatever an agent or a receiver says", () => {
    const task = {
      id: "tsk_1",
      accountId: "acc_1",
      title: "\u001b[2JGone",
      mode: "autonomous",
      status: "running",
      hasEnded: false,
      error: "No\ndisk",
    }
    const costs = { attempts: 1, containerSeconds: 0, costUsd: 0, tokens: { input: 0, output: 0 }, modelCostUsd: 0 }
    const moments = [{ at: "2026-11-28T12:00:00.000Z", what: "task.hibernating", detail: "It\r\nwaits" }]
    const story = { task: { ...task, ...costs, agent: "", image: "", model: "" }, executions: [], moments }
    expect(storyText(story)).toMatch(/ {2}\[2JGone\n[^\p{Cc}]+\n(.+\n)+ +error +No disk\n\n.+It waits$/u)
  })

  test("answer as JSON where a program asks", async () => {
    const account = await onboard()
    const task = await newTask(account, (await newAgent(account)).id)
    const { out } = await dormouse("--json", "task", "show", task.id, "--account", account.accountId)
    expect(JSON.parse(out)).toMatchObject({ task: { id: task.id, status: expect.any(String) }, moments: expect.any(Array) })
  })
})

describe("a command that cannot be carried out", () => {
  test.each([
    ["a word that is none", ["dance"], "There is no command dance"],
    ["an argument left out", ["key", "create"], "ACCOUNT is missing"],
    ["a sum that is no number", ["credit", "grant", "acc_1", "much", "--id", "1"], "USD is a number, not much"],
    ["a word too many", ["task", "show", "tsk_1", "tsk_2"], "tsk_2 is one word too many"],
    ["a word where there is none", ["account", "create", "Acme"], "Acme is one word too many"],
    ["a port that is none", ["--aws-port", "70000", "key", "create", "acc_1"], "--aws-port is a port from 1 to 65535, not 70000"],
    ["an option that is none", ["task", "show", "--loud"], "Unknown option '--loud'\n"],
  ])("%s: says so, and where the usage is, and ends with 2", async (_, words, why) => {
    const { code, err } = await dormouse(...words)
    expect(err).toContain(why)
    expect(err).toContain("--help")
    expect(code).toBe(2)
  })

  test("a task that is not there: the stack's own words, and 1", async () => {
    expect(await dormouse("task", "show", "tsk_none")).toEqual({ code: 1, out: "", err: "There is no such task." })
  })

  test("an address that is none, and a key that is none: the fields, by their names, and 1", async () => {
    expect(await dormouse("account", "create", "--email", "nobody")).toEqual({
      code: 1,
      out: "",
      err: "email: Invalid email address",
    })
    const operation = { operation: "ensureAccount", apiKey: "short", creditUsd: 0 }
    await expect(app.operate(operation)).rejects.toThrow("apiKey: A key is ac_live_ and 16 to 128 letters and digits")
  })

  test("no region of AWS: says how to name one", () => {
    const home = mkdtempSync(join(tmpdir(), "dormouse-home-"))
    const { status, stderr } = spawnSync(process.execPath, [main, "key", "create", "acc_1"], {
      encoding: "utf8",
      env: { PATH: process.env.PATH, HOME: home, AWS_EC2_METADATA_DISABLED: "true" },
    })
    rmSync(home, { recursive: true })
    expect(stderr).toContain("There is no AWS region: set AWS_REGION, or say --local")
    expect(status).toBe(2)
  })

  test("no stack in the data folder: says where it looked", () => {
    const empty = mkdtempSync(join(tmpdir(), "dormouse-empty-"))
    const { status, stderr } = spawnSync(process.execPath, [main, "--local", "--data", empty, "account", "create"], {
      encoding: "utf8",
    })
    rmSync(empty, { recursive: true })
    expect(stderr).toContain(`There is no stack in ${empty}`)
    expect(status).toBe(2)
  })
})

describe("account erase", () => {
  const rowsOf = async (accountId: string) => {
    const client = DynamoDBDocumentClient.from(
      new DynamoDBClient({ endpoint: app.awsUrl, region: "us-east-1", credentials: app.credentials }),
    )
    const { Items } = await client.send(
      new ScanCommand({
        TableName: "dormouse",
        FilterExpression: "contains(pk, :id) OR accountId = :id",
        ExpressionAttributeValues: { ":id": accountId },
      }),
    )
    return Items!.length
  }

  test("leaves no row and no object of the account, and everything of others", async () => {
    const [gone, stays] = [await onboard(), await onboard()]
    for (const account of [gone, stays]) {
      const container = await claimedContainer(app, account, { task: { instructions: "x".repeat(10_000) } })
      await storeOutput(container, "report.md", Buffer.from("x"))
      await container.send("complete", { result: "Done." })
      await untilEnded(account, container.task.id)
      await published(app, account.accountId, container.task.id)
      await newFile(account)
    }
    const before = await rowsOf(stays.accountId)
    const { code, out, err } = await dormouse("account", "erase", gone.accountId, "--confirm", gone.accountId)
    expect([code, err, out]).toEqual([0, "", expect.stringMatching(/^accountId +acc_\S+\nrows +\d+\nobjects +[3-9]$/)])
    expect(await rowsOf(gone.accountId)).toBe(0)
    expect(await objectsOf(gone.accountId)).toEqual([])
    expect(await rowsOf(stays.accountId)).toBe(before)
    expect((await objectsOf(stays.accountId)).length).toBeGreaterThan(2)
    const again = await dormouse("account", "erase", gone.accountId, "--confirm", gone.accountId)
    expect(again.out).toMatch(/rows\s+0$/m)
  })

  test("is refused while a task has not ended, and without its name twice", async () => {
    const account = await onboard()
    await newTask(account, (await newAgent(account)).id)
    const { code, err } = await dormouse("account", "erase", account.accountId, "--confirm", account.accountId)
    expect([code, err]).toEqual([1, expect.stringContaining("ended")])
    expect((await dormouse("account", "erase", account.accountId)).code).toBe(2)
    expect((await account.send("GET /account")).status).toBe(200)
  })

  const objectsOf = async (accountId: string) => {
    const s3 = new S3Client({ endpoint: app.awsUrl, region: "us-east-1", credentials: app.credentials, forcePathStyle: true })
    const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: "dormouse-data-000000000000" }))
    return Contents.filter(({ Key }) => Key!.includes(accountId))
  }
})
