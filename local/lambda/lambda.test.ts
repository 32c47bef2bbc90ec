import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { millis } from "#core/clock.ts"
import { moveTime } from "#test/time.ts"
import { makeKeyRing } from "../credentials.ts"
import { functionArn, makeFixture, roleOf } from "../fixture.ts"
import { openPort, type Port } from "../port.ts"
import { awsHandler, openBooks } from "../server.ts"
import { type Lambda, openLambda } from "./lambda.ts"
import { maxEnvironments } from "./pool.ts"

const counter = `
  let calls = 0
  export const handler = async (event) => ({ calls: ++calls, event })`

const fixture = makeFixture({
  counter: { code: counter },
  environment: { code: "export const handler = async () => process.env", environment: { TABLE: "main" }, memoryMb: 256 },
  context: {
    code: `export const handler = async (_event, context) =>
      ({ ...context, left: context.getRemainingTimeInMillis() })`,
    timeoutSeconds: 7,
  },
  throws: { code: `export const handler = async () => { throw new RangeError("too far") }` },
  rejects: { code: `export const handler = () => { Promise.reject(new Error("nobody waits")); return new Promise(() => {}) }` },
  exits: { code: "export const handler = async () => { process.exit(3) }" },
  broken: { code: `throw new Error("cannot load")` },
  slow: { code: "export const handler = () => new Promise(() => setInterval(() => {}, 1000))", timeoutSeconds: 0.2 },
  large: { code: `export const handler = async () => "x".repeat(6 * 1024 * 1024)` },
  prints: { code: `export const handler = async () => { console.log("one line"); console.error("another"); return 1 }` },
  gate: {
    code: `import { existsSync } from "node:fs"
      import { threadId } from "node:worker_threads"
      export const handler = async ({ gate }) => {
        while (!existsSync(gate)) await new Promise((resolve) => setTimeout(resolve, 10))
        return threadId
      }`,
  },
  flaky: {
    code: `import { appendFileSync } from "node:fs"
      export const handler = async ({ path }, { awsRequestId }) => {
        appendFileSync(path, awsRequestId + "\\n")
        throw new Error("again, please")
      }`,
  },
})

const time = moveTime()
let lambda: Lambda
let aws: Port
let client: LambdaClient

const open = () =>
  openLambda({
    idleMs: 3_000,
    region: fixture.wiring.region,
    functions: fixture.wiring.functions,
    bundles: fixture.bundles,
    data: fixture.data,
    verbose: false,
    environment: () => ({ AWS_ACCESS_KEY_ID: "key" }),
  })

beforeAll(async () => {
  lambda = open()
  const s3 = () => Promise.reject(new Error("There is no S3 here"))
  aws = await openPort(0)
  const keys = makeKeyRing(fixture.wiring)
  aws.serve(awsHandler({ wiring: fixture.wiring, keys, services: [], lambda, s3, books: openBooks() }))
  client = new LambdaClient({
    endpoint: `http://127.0.0.1:${aws.number}`,
    region: "us-east-1",
    credentials: keys.operator,
    maxAttempts: 1,
  })
})

afterAll(async () => {
  time.release()
  client.destroy()
  await aws.close()
  await lambda.close()
  fixture.remove()
})

const invoke = async (name: string, payload: unknown = {}) => {
  const answer = await client.send(new InvokeCommand({ FunctionName: name, Payload: JSON.stringify(payload), LogType: "Tail" }))
  return {
    error: answer.FunctionError,
    payload: JSON.parse(answer.Payload!.transformToString()),
    log: Buffer.from(answer.LogResult ?? "", "base64").toString(),
  }
}

/** Waits until a file has so many lines, and gives them. */
const lines = async (path: string, count: number) => {
  await expect.poll(() => linesOf(path).length).toBe(count)
  return linesOf(path)
}

const linesOf = (path: string) => (existsSync(path) ? readFileSync(path, "utf8").split("\n").slice(0, -1) : [])

describe("Invoke", () => {
  test("runs the handler of the bundle and keeps its module between calls", async () => {
    expect((await invoke("counter", { a: 1 })).payload).toEqual({ calls: 1, event: { a: 1 } })
    expect((await invoke(functionArn("counter"), { a: 2 })).payload).toEqual({ calls: 2, event: { a: 2 } })
  })

  test("gives a function its own environment, what Lambda sets, its keys, and nothing of this machine", async () => {
    process.env.OF_THE_MACHINE = "yes"
    const { payload } = await invoke("environment")
    expect(payload).toMatchObject({
      TABLE: "main",
      AWS_REGION: "us-east-1",
      AWS_LAMBDA_FUNCTION_NAME: "environment",
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "256",
      AWS_ACCESS_KEY_ID: "key",
      LAMBDA_TASK_ROOT: join(fixture.bundles, "environment"),
    })
    expect(Object.keys(payload).filter((name) => !/^(AWS_|LAMBDA_|_HANDLER$|TABLE$)/.test(name))).toEqual([])
  })

  test("gives a context with the ARN and the time that is left", async () => {
    const { payload } = await invoke("context")
    expect(payload).toMatchObject({ functionName: "context", invokedFunctionArn: functionArn("context"), memoryLimitInMB: "128" })
    expect(payload.left).toBeGreaterThan(0)
    expect(payload.left).toBeLessThanOrEqual(7000)
  })

  test("describes what a handler throws, and goes on", async () => {
    const { error, payload } = await invoke("throws")
    expect(error).toBe("Unhandled")
    expect(payload).toMatchObject({ errorType: "RangeError", errorMessage: "too far" })
    expect(payload.trace[0]).toBe("RangeError: too far")
  })

  test.each([
    ["rejects", { errorType: "Runtime.UnhandledPromiseRejection", errorMessage: "nobody waits" }],
    ["exits", { errorType: "Runtime.ExitError" }],
    ["broken", { errorType: "Error", errorMessage: "cannot load" }],
    ["large", { errorType: "Function.ResponseSizeTooLarge" }],
  ])("a function that %s is an error, each time", async (name, description) => {
    expect(await invoke(name)).toMatchObject({ error: "Unhandled", payload: description })
    expect(await invoke(name)).toMatchObject({ error: "Unhandled", payload: description })
  })

  test("ends a function that takes too long, and starts another for the next call", async () => {
    const { error, payload } = await invoke("slow")
    expect(error).toBe("Unhandled")
    expect(payload.errorMessage).toMatch(/Task timed out after 0.20 seconds$/)
    expect(lambda.environments("slow")).toBe(0)
  })

  test("writes what a function prints into its log, and gives the end of it on request", async () => {
    const { log } = await invoke("prints")
    expect(log).toBe("one line\nanother\n")
    expect(readFileSync(join(fixture.data, "logs", "prints.log"), "utf8")).toMatch(/START RequestId.*\none line\nanother\nEND/)
  })

  test("refuses what is no function, no JSON, or too large", async () => {
    await expect(invoke("nobody")).rejects.toMatchObject({ name: "ResourceNotFoundException" })
    const text = new InvokeCommand({ FunctionName: "counter", Payload: "{" })
    await expect(client.send(text)).rejects.toMatchObject({ name: "InvalidRequestContentException" })
    await expect(invoke("counter", "x".repeat(6 * 1024 ** 2))).rejects.toMatchObject({ name: "RequestTooLargeException" })
  })

  test("a dry run answers 204 and runs nothing", async () => {
    const before = lambda.runs.get("prints")
    const answer = await client.send(new InvokeCommand({ FunctionName: "prints", InvocationType: "DryRun" }))
    expect(answer.StatusCode).toBe(204)
    expect(lambda.runs.get("prints")).toBe(before)
  })
})

describe("environments", () => {
  test("one takes one event at a time; beyond ten, callers wait in order; idle ones end after a while", async () => {
    const gate = join(fixture.data, "gate")
    const answers = Array.from({ length: maxEnvironments + 3 }, () => invoke("gate", { gate }))
    await expect.poll(() => lambda.environments("gate")).toBe(maxEnvironments)
    writeFileSync(gate, "")
    const threads = await Promise.all(answers)
    expect(new Set(threads.map(({ payload }) => payload)).size).toBe(maxEnvironments)

    await expect.poll(() => lambda.environments("gate"), { timeout: 15_000 }).toBe(0)
  })
})

describe("an event that nobody waits for", () => {
  test("is tried three times under one request id, a minute and two apart", async () => {
    const path = join(fixture.data, "tries")
    const send = new InvokeCommand({ FunctionName: "flaky", InvocationType: "Event", Payload: JSON.stringify({ path }) })
    expect((await client.send(send)).StatusCode).toBe(202)
    await lines(path, 1)
    const triedAt: number[] = []
    const printed = () => {
      triedAt[linesOf(path).length] ??= millis()
      time.advance(5_000)
      return readFileSync(join(fixture.data, "logs", "flaky.log"), "utf8")
    }
    await expect.poll(printed).toContain("The event was dropped")
    const [first = 0, second = 0, third = 0] = triedAt.slice(1)
    expect(second - first).toBeGreaterThanOrEqual(60_000)
    expect(third - second).toBeGreaterThanOrEqual(120_000)
    expect(new Set(await lines(path, 3)).size).toBe(1)
  })

  test("outlives the process that took it", async () => {
    const path = join(fixture.data, "survives")
    lambda.invokeAsync("flaky", JSON.stringify({ path }))
    await lines(path, 1)
    await lambda.close()
    time.advance(800_000)
    lambda = open()
    lambda.resume()
    await lines(path, 2)
  })
})

test("a role of a function has keys of its own, which say who calls", () => {
  const keys = makeKeyRing(fixture.wiring)
  const pair = keys.of(roleOf("counter"))
  expect(keys.role(pair.accessKeyId)).toBe(roleOf("counter"))
  expect(keys.secret(pair.accessKeyId)).toBe(pair.secretAccessKey)
  expect(keys.role("local")).toBeUndefined()
})
