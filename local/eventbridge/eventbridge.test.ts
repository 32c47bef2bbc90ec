import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import {
  DescribeEventBusCommand,
  EventBridgeClient,
  ListRulesCommand,
  PutEventsCommand,
  type PutEventsRequestEntry,
  TestEventPatternCommand,
} from "@aws-sdk/client-eventbridge"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { serveJson } from "#test/json-services.ts"
import { moveTime } from "#test/time.ts"
import type { Wiring } from "../wiring.ts"
import type { BusEvent } from "./entry.ts"
import { type EventBridge, openEventBridge } from "./service.ts"

const account = "123456789012"
const functionArn = (name: string) => `arn:aws:lambda:us-east-1:${account}:function:${name}`
const queueArn = (name: string) => `arn:aws:sqs:us-east-1:${account}:${name}`
const busArn = (name: string, region = "us-east-1") => `arn:aws:events:${region}:${account}:event-bus/${name}`
const rule = (name: string, rest: object, ...targets: { arn: string; input?: string; deadLetterArn?: string }[]) => ({
  name,
  arn: `arn:aws:events:us-east-1:${account}:rule/${name}`,
  targets,
  ...rest,
})

const domain = busArn("domain")
const frankfurt = busArn("default", "eu-central-1")
const home = busArn("default")

const buses: Wiring["buses"] = {
  [domain]: {
    name: "domain",
    region: "us-east-1",
    rules: [
      rule("all", { pattern: { source: ["shop"] } }, { arn: functionArn("all"), deadLetterArn: queueArn("undelivered") }),
      rule(
        "sold",
        { pattern: { "detail-type": ["sold"], detail: { total: [{ numeric: [">", 5] }] } } },
        { arn: functionArn("sold") },
      ),
      rule("queued", { pattern: { "detail-type": ["queued"] } }, { arn: queueArn("inbox") }),
      rule("fixed", { pattern: { "detail-type": ["fixed"] } }, { arn: functionArn("fixed"), input: '{"always":"this"}' }),
    ],
  },
  [frankfurt]: {
    name: "default",
    region: "eu-central-1",
    rules: [rule("forward", { pattern: { source: ["aws.ecs"] } }, { arn: home })],
  },
  [home]: {
    name: "default",
    region: "us-east-1",
    rules: [
      rule("stopped", { pattern: { source: ["aws.ecs"] } }, { arn: functionArn("stopped") }, { arn: domain }),
      rule("sweep", { schedule: "rate(5 minutes)" }, { arn: functionArn("sweep") }),
    ],
  },
}

let folder: string
let time: ReturnType<typeof moveTime>
let bridge: EventBridge
let served: Awaited<ReturnType<typeof serveJson>>
let client: EventBridgeClient
let invoked: { name: string; event: BusEvent }[]
let failing: Set<string>
let sent: { queue: string; body: string }[]
let logged: string[]

const open = async () => {
  bridge = openEventBridge({
    path: join(folder, "events.sqlite"),
    buses,
    invoke: async (arn, event) => {
      const name = arn.split(":").at(-1) ?? ""
      invoked.push({ name, event: event as BusEvent })
      if (failing.has(name)) throw new Error("It does not work")
    },
    send: (arn, body) => void sent.push({ queue: arn.split(":").at(-1) ?? "", body }),
    log: (line) => logged.push(line),
  })
  served = await serveJson(bridge)
  client = new EventBridgeClient(served.client)
}

const close = async () => {
  client.destroy()
  await served.close()
  await bridge.close()
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "dormouse-events-"))
  time = moveTime()
  invoked = []
  failing = new Set()
  sent = []
  logged = []
  await open()
})

afterEach(async () => {
  await close()
  time.release()
  rmSync(folder, { recursive: true, force: true })
})

const names = () => invoked.map(({ name }) => name).sort((a, b) => a.localeCompare(b))
const put = (...entries: Partial<PutEventsRequestEntry>[]) =>
  client.send(
    new PutEventsCommand({
      Entries: entries.map((entry) => ({ EventBusName: "domain", Source: "shop", DetailType: "sold", Detail: "{}", ...entry })),
    }),
  )

describe("PutEvents", () => {
  it("takes an event to the targets of every rule that matches it, and of no other", async () => {
    const { FailedEntryCount, Entries = [] } = await put({
      Detail: '{"total":7}',
      Resources: ["cup"],
      Time: new Date("2026-03-01T10:00:00Z"),
    })
    expect(FailedEntryCount).toBe(0)
    await expect.poll(names).toEqual(["all", "sold"])
    expect(invoked[0]?.event).toEqual({
      version: "0",
      id: Entries[0]?.EventId,
      "detail-type": "sold",
      source: "shop",
      account,
      time: "2026-03-01T10:00:00Z",
      region: "us-east-1",
      resources: ["cup"],
      detail: { total: 7 },
    })
  })

  it("finds a bus by its ARN as by its name, and gives a target its constant input", async () => {
    await put({ EventBusName: domain, DetailType: "fixed", Source: "other" })
    await expect.poll(() => invoked).toEqual([{ name: "fixed", event: { always: "this" } }])
  })

  it("puts an event into a queue as it would give it to a function", async () => {
    await put({ DetailType: "queued", Source: "other", Detail: '{"n":1}' })
    await expect.poll(() => sent).toMatchObject([{ queue: "inbox" }])
    expect(JSON.parse(sent[0]!.body)).toMatchObject({ "detail-type": "queued", source: "other", detail: { n: 1 } })
  })

  it("judges every entry by itself", async () => {
    const { FailedEntryCount, Entries } = await put(
      { Source: "aws.ecs" },
      { Detail: "[1]" },
      { Detail: "{" },
      { DetailType: "" },
      { EventBusName: "nowhere" },
      { Detail: '{"total":1}' },
    )
    expect(FailedEntryCount).toBe(5)
    expect(Entries?.map(({ ErrorCode, EventId }) => ErrorCode ?? typeof EventId)).toEqual([
      "NotAuthorizedForSource",
      "MalformedDetail",
      "MalformedDetail",
      "InvalidArgument",
      "ResourceNotFoundException",
      "string",
    ])
    await expect.poll(names).toEqual(["all"])
  })

  it("refuses more than ten entries, none, and more than 256 KB together", async () => {
    await expect(put(...Array.from({ length: 11 }, () => ({})))).rejects.toMatchObject({ name: "ValidationException" })
    await expect(put()).rejects.toMatchObject({ name: "ValidationException" })
    const half = JSON.stringify({ text: "x".repeat(130 * 1024) })
    await expect(put({ Detail: half }, { Detail: half })).rejects.toMatchObject({ name: "ValidationException" })
    await put({ Detail: half })
    await expect.poll(names).toEqual(["all"])
  })

  it("tries a target that fails again after growing waits, and the others only once", async () => {
    failing.add("sold")
    await put({ Detail: '{"total":7}' })
    await expect.poll(names).toEqual(["all", "sold"])
    time.advance(2_000)
    await expect.poll(names).toEqual(["all", "sold", "sold"])
    failing.clear()
    time.advance(4_000)
    await expect.poll(names).toEqual(["all", "sold", "sold", "sold"])
    expect(new Set(invoked.map(({ event }) => event.id)).size).toBe(1)
  })

  it("gives a delivery up after a day, counts it, says so, and puts the event into the queue for it", async () => {
    failing.add("all")
    await put({})
    await expect.poll(names).toEqual(["all"])
    time.advance(24 * 3_600_000)
    await expect.poll(() => bridge.deadLetters()).toBe(1)
    expect(logged).toEqual([expect.stringContaining(functionArn("all"))])
    expect(sent).toMatchObject([{ queue: "undelivered", body: expect.stringContaining('"source":"shop"') }])
    expect(names().filter((name) => name === "all")).toHaveLength(2)
  })

  it("delivers after a restart what was not delivered before it", async () => {
    failing.add("all")
    await put({})
    await expect.poll(names).toEqual(["all"])
    await close()
    failing.clear()
    time.advance(2_000)
    await open()
    await expect.poll(names).toEqual(["all", "all"])
  })

  it("has what it answered on disk before it answers, so that kill -9 loses nothing", async () => {
    await close()
    const program = `
      import { openEventBridge } from ${JSON.stringify(join(import.meta.dirname, "service.ts"))}
      const bridge = openEventBridge({ path: process.env.EVENTS, buses: ${JSON.stringify(buses)}, invoke: () => new Promise(() => {}), send: () => {} })
      const entry = { EventBusName: "domain", Source: "shop", DetailType: "sold", Detail: "{}" }
      await bridge.call("PutEvents", { Entries: [entry, entry] }, { accessKeyId: "test", region: "us-east-1" })
      process.kill(process.pid, "SIGKILL")
    `
    const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", program], {
      env: { ...process.env, EVENTS: join(folder, "events.sqlite") },
      stdio: ["ignore", "inherit", "inherit"],
    })
    const [, signal] = await once(child, "exit")
    expect(signal).toBe("SIGKILL")
    await open()
    await expect.poll(names).toEqual(["all", "all"])
  })
})

describe("put", () => {
  it("carries an AWS event from another region's default bus to the home region's, and no further", async () => {
    bridge.put(frankfurt, {
      source: "aws.ecs",
      detailType: "ECS Task State Change",
      detail: { lastStatus: "STOPPED" },
      resources: ["t"],
    })
    await expect.poll(names).toEqual(["stopped"])
    expect(invoked[0]?.event).toMatchObject({ region: "eu-central-1", source: "aws.ecs", detail: { lastStatus: "STOPPED" } })
  })

  it("takes an event on a default bus that no rule names", () => {
    const event = { source: "aws.states", detailType: "x", detail: {}, resources: [] }
    expect(bridge.put(busArn("default", "eu-west-1"), event)).toMatch(/^[0-9a-f-]{36}$/)
    expect(() => bridge.put(busArn("other", "eu-west-1"), event)).toThrow(/does not exist/)
  })
})

describe("a scheduled rule", () => {
  it("runs at its rate", async () => {
    time.advance(4 * 60_000)
    await put({})
    await expect.poll(names).toEqual(["all"])
    time.advance(60_000)
    await expect.poll(names).toEqual(["all", "sweep"])
    expect(invoked[1]?.event).toMatchObject({ source: "aws.events", "detail-type": "Scheduled Event", detail: {} })
    time.advance(5 * 60_000)
    await expect.poll(names).toEqual(["all", "sweep", "sweep"])
  })

  it("keeps its time over a restart, and makes up once for what it missed", async () => {
    time.advance(3 * 60_000)
    await close()
    await open()
    time.advance(2 * 60_000)
    await expect.poll(names).toEqual(["sweep"])
    await close()
    time.advance(60 * 60_000)
    await open()
    await expect.poll(names).toEqual(["sweep", "sweep"])
  })
})

describe("the rest of the API", () => {
  it("describes buses and lists rules", async () => {
    expect(await client.send(new DescribeEventBusCommand({ Name: "domain" }))).toMatchObject({ Name: "domain", Arn: domain })
    await expect(client.send(new DescribeEventBusCommand({ Name: "x" }))).rejects.toMatchObject({
      name: "ResourceNotFoundException",
    })
    const { Rules } = await client.send(new ListRulesCommand({ NamePrefix: "s" }))
    expect(Rules?.map(({ Name, ScheduleExpression, EventPattern }) => [Name, ScheduleExpression ?? EventPattern])).toEqual([
      ["stopped", '{"source":["aws.ecs"]}'],
      ["sweep", "rate(5 minutes)"],
    ])
  })

  it("tests a pattern, and refuses one that EventBridge would refuse", async () => {
    const Event = JSON.stringify({ id: "1", account, source: "shop", time: "", region: "", resources: [], "detail-type": "sold" })
    const test = (EventPattern: string) => client.send(new TestEventPatternCommand({ Event, EventPattern }))
    expect((await test('{"source":["shop"]}')).Result).toBe(true)
    expect((await test('{"source":["bar"]}')).Result).toBe(false)
    await expect(test('{"source":"shop"}')).rejects.toMatchObject({ name: "InvalidEventPatternException" })
  })

  it("does not start with a pattern, a rate or a target that cannot work", () => {
    const start = (rest: object, arn = functionArn("x")) =>
      openEventBridge({
        path: ":memory:",
        buses: { [domain]: { name: "domain", region: "us-east-1", rules: [rule("bad", rest, { arn })] } },
        invoke: async () => undefined,
        send: () => undefined,
      })
    expect(() => start({ pattern: { source: "shop" } })).toThrow(/not valid/)
    expect(() => start({ schedule: "rate(5 minute)" })).toThrow(/not a schedule/)
    expect(() => start({ pattern: { source: ["x"] } }, "arn:aws:sns:us-east-1:123456789012:topic")).toThrow(/has the target/)
  })
})
