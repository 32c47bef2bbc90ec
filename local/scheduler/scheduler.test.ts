import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import {
  CreateScheduleCommand,
  type CreateScheduleCommandInput,
  DeleteScheduleCommand,
  GetScheduleCommand,
  ListSchedulesCommand,
  SchedulerClient,
} from "@aws-sdk/client-scheduler"
import { ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { now } from "#core/clock.ts"
import { moveTime } from "#test/time.ts"
import { functionArn, makeFixture, roleOf } from "../fixture.ts"
import { type Stack, startStack } from "../stack.ts"

const queueArn = "arn:aws:sqs:us-east-1:123456789012:inbox"
const url = "https://sqs.us-east-1.amazonaws.com/123456789012/inbox"
const sender = "arn:aws:iam::123456789012:role/sender"
const powerless = "arn:aws:iam::123456789012:role/powerless"
const schedules = "arn:aws:scheduler:us-east-1:123456789012:schedule/reminders/*"
const queue = { region: "us-east-1", visibilitySeconds: 30, delaySeconds: 0, waitSeconds: 0, retentionSeconds: 1_209_600 }

const time = moveTime()
const fixture = makeFixture(
  {
    collect: {
      code: `import { appendFileSync } from "node:fs"
        export const handler = async (event) => appendFileSync(process.env.COLLECTED, JSON.stringify(event) + "\\n")`,
    },
    planner: {
      code: "export const handler = async () => undefined",
      allows: [
        { effect: "Allow", actions: ["scheduler:CreateSchedule"], resources: [schedules] },
        {
          effect: "Allow",
          actions: ["iam:PassRole"],
          resources: [sender],
          condition: { StringEquals: { "iam:PassedToService": "scheduler.amazonaws.com" } },
        },
      ],
    },
  },
  {
    roles: {
      [sender]: [
        { effect: "Allow", actions: ["sqs:SendMessage"], resources: [queueArn] },
        { effect: "Allow", actions: ["lambda:InvokeFunction"], resources: [functionArn("collect")] },
      ],
      [powerless]: [],
    },
    queues: [{ ...queue, name: "inbox", arn: queueArn }],
    scheduleGroups: ["reminders"],
  },
)
const collected = join(fixture.data, "collected")
fixture.wiring.functions.collect!.environment.COLLECTED = collected

let stack: Stack
const start = () => startStack({ ...fixture, isolation: "none" })
const config = (credentials = stack.credentials) => ({ endpoint: stack.awsUrl, region: "us-east-1", credentials, maxAttempts: 1 })
const scheduler = () => new SchedulerClient(config())

beforeAll(async () => {
  stack = await start()
})

afterAll(async () => {
  await stack.stop()
  fixture.remove()
  time.release()
})

const at = (milliseconds: number) => `at(${new Date(now().getTime() + milliseconds).toISOString().slice(0, 19)})`
const minutes = 60_000

type Rest = Partial<CreateScheduleCommandInput> & { target?: Partial<CreateScheduleCommandInput["Target"]> }
const input = (name: string, { target, ...rest }: Rest = {}): CreateScheduleCommandInput => ({
  Name: name,
  GroupName: "reminders",
  ScheduleExpression: at(30 * minutes),
  FlexibleTimeWindow: { Mode: "OFF" },
  ActionAfterCompletion: "DELETE",
  ...rest,
  Target: { Arn: queueArn, RoleArn: sender, Input: JSON.stringify({ name }), ...target },
})
const create = (name: string, rest?: Rest, client = scheduler()) => client.send(new CreateScheduleCommand(input(name, rest)))
const get = (Name: string) => scheduler().send(new GetScheduleCommand({ Name, GroupName: "reminders" }))
const received = async () => {
  const { Messages = [] } = await new SQSClient(config()).send(
    new ReceiveMessageCommand({ QueueUrl: url, MaxNumberOfMessages: 10 }),
  )
  return Messages.map(({ Body }) => Body)
}
const gone = (name: string) => expect.poll(() => get(name).catch((error: Error) => error.name)).toBe("ResourceNotFoundException")

describe("a schedule", () => {
  test("reaches its queue when its time has come, not before, once, and is gone then", async () => {
    const { ScheduleArn } = await create("queue")
    expect(ScheduleArn).toBe("arn:aws:scheduler:us-east-1:123456789012:schedule/reminders/queue")
    expect(await get("queue")).toMatchObject({ Name: "queue", State: "ENABLED", Target: { Arn: queueArn, RoleArn: sender } })
    time.advance(29 * minutes)
    expect(await received()).toEqual([])
    time.advance(minutes + 1000)
    await gone("queue")
    expect(await received()).toEqual(['{"name":"queue"}'])
    time.advance(60 * minutes)
    expect(await received()).toEqual(['{"name":"queue"}'])
  })

  test("sends a message as the SDK would, with its group", async () => {
    const Input = JSON.stringify({ QueueUrl: url, MessageBody: "universal", MessageGroupId: "one" })
    await create("universal", { target: { Arn: "arn:aws:scheduler:::aws-sdk:sqs:sendMessage", Input } })
    time.advance(31 * minutes)
    await gone("universal")
    expect(await received()).toContain("universal")
  })

  test("reaches a function", async () => {
    await create("function", { target: { Arn: functionArn("collect") } })
    time.advance(31 * minutes)
    await expect.poll(() => existsSync(collected) && readFileSync(collected, "utf8")).toBe('{"name":"function"}\n')
  })

  test("stays where it is to stay", async () => {
    await create("stays", { ActionAfterCompletion: "NONE" })
    time.advance(31 * minutes)
    await expect.poll(received).toContain('{"name":"stays"}')
    expect(await get("stays")).toMatchObject({ Name: "stays" })
  })

  test("that was deleted never comes", async () => {
    await create("deleted")
    await scheduler().send(new DeleteScheduleCommand({ Name: "deleted", GroupName: "reminders" }))
    time.advance(31 * minutes)
    await create("after", { ScheduleExpression: at(0) })
    await gone("after")
    expect(await received()).not.toContain('{"name":"deleted"}')
  })

  test("is the same one for the same name and token, and another one is refused", async () => {
    const ScheduleExpression = at(30 * minutes)
    const first = await create("same", { ClientToken: "one", ScheduleExpression })
    expect(await create("same", { ClientToken: "one", ScheduleExpression })).toMatchObject({ ScheduleArn: first.ScheduleArn })
    await expect(create("same", { ClientToken: "two", ScheduleExpression })).rejects.toMatchObject({ name: "ConflictException" })
    const { Schedules } = await scheduler().send(new ListSchedulesCommand({ GroupName: "reminders", NamePrefix: "same" }))
    expect(Schedules).toMatchObject([{ Name: "same", GroupName: "reminders" }])
  })

  test("that became due while nothing ran comes at the next start", async () => {
    await create("slept")
    await stack.stop()
    time.advance(31 * minutes)
    stack = await start()
    await expect.poll(received).toContain('{"name":"slept"}')
  })

  test("whose role may not is tried again until it is given up", async () => {
    await create("powerless", { target: { RoleArn: powerless, RetryPolicy: { MaximumRetryAttempts: 1 } } })
    time.advance(31 * minutes)
    await expect.poll(() => get("powerless")).toMatchObject({ Name: "powerless" })
    const nameAfterAWhile = () => {
      time.advance(10_000)
      return get("powerless").catch((error: Error) => error.name)
    }
    await expect.poll(nameAfterAWhile).toBe("ResourceNotFoundException")
    expect(await received()).not.toContain('{"name":"powerless"}')
  })
})

describe("what is refused", () => {
  test.each<[string, Rest]>([
    ["ValidationException", { ScheduleExpression: "rate(5 minutes)" }],
    ["ValidationException", { ScheduleExpression: "at(tomorrow)" }],
    ["ValidationException", { target: { Arn: "arn:aws:sns:us-east-1:123456789012:topic" } }],
    ["ResourceNotFoundException", { GroupName: "nowhere" }],
  ])("%s: %j", async (name, rest) => {
    await expect(create("refused", rest)).rejects.toMatchObject({ name })
  })

  test("AccessDeniedException: another group, or a role that the caller may not pass on", async () => {
    const planner = new SchedulerClient(config(stack.credentialsOf(roleOf("planner"))))
    await expect(create("mine", {}, planner)).resolves.toBeDefined()
    await expect(create("other", { GroupName: "default" }, planner)).rejects.toMatchObject({ name: "AccessDeniedException" })
    await expect(create("role", { target: { RoleArn: powerless } }, planner)).rejects.toThrow(/iam:PassRole/)
  })
})
