import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DescribeExecutionCommand, GetExecutionHistoryCommand, SFNClient, StartExecutionCommand } from "@aws-sdk/client-sfn"
import { AwsError, type JsonService } from "../service.ts"
import { openStepFunctions, type StepFunctionsOptions } from "./service.ts"

/** What the tests of this folder share: the service behind HTTP, an unmodified client, and a clock that is moved. */

const region = "eu-central-1"
export const machineArn = (name: string) => `arn:aws:states:${region}:000000000000:stateMachine:${name}`
const functionArn = (name: string) => `arn:aws:lambda:${region}:000000000000:function:${name}`
export const role = "arn:aws:iam::000000000000:role/machine"

/** A machine of these states; the first one begins. */
export const machine = (states: Record<string, object>, extra: object = {}) => ({
  QueryLanguage: "JSONata",
  StartAt: Object.keys(states)[0],
  States: states,
  ...extra,
})

export const invoking = (name: string, fields: object = {}) => ({
  Type: "Task",
  Resource: "arn:aws:states:::lambda:invoke",
  Arguments: { FunctionName: functionArn(name), Payload: "{% $states.input %}" },
  ...fields,
})

/** A task that waits for its token, which the function finds in its payload. */
export const waiting = (name: string, fields: object = {}) => ({
  ...invoking(name),
  Resource: "arn:aws:states:::lambda:invoke.waitForTaskToken",
  Arguments: {
    FunctionName: functionArn(name),
    Payload: { token: "{% $states.context.Task.Token %}", input: "{% $states.input %}" },
  },
  ...fields,
})

/** Machines as the options take them, from their definitions by name. */
export const machinesOf = (definitions: Record<string, object>) =>
  Object.fromEntries(Object.entries(definitions).map(([name, definition]) => [machineArn(name), { name, role, definition }]))

/** Serves one JSON service as the embedded AWS does: by `x-amz-target`, on a free port. */
export const serve = async (service: JsonService) => {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const [target, operation = ""] = String(request.headers["x-amz-target"]).split(".")
    const answer = (status: number, body: object) =>
      response.writeHead(status, { "content-type": service.contentType }).end(JSON.stringify(body))
    try {
      if (target !== service.target) throw new AwsError("UnknownOperationException", `${target} is not served here.`)
      answer(200, await service.call(operation, JSON.parse(Buffer.concat(chunks).toString()), { accessKeyId: "test", region }))
    } catch (error) {
      if (!(error instanceof AwsError)) return answer(500, { __type: "InternalFailure", message: String(error) })
      answer(error.status, { __type: error.code, message: error.message, ...error.extra })
    }
  })
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening))
  return { server, port: (server.address() as AddressInfo).port }
}

export const clientOf = (port: number) =>
  new SFNClient({
    endpoint: `http://127.0.0.1:${port}`,
    region,
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
    maxAttempts: 1,
  })

/** A folder of its own with a clock in it that this process, and those it starts, go by. */
export const makeClock = () => {
  const folder = mkdtempSync(join(tmpdir(), "step-functions-"))
  const path = join(folder, "clock")
  let offset = 0
  const write = () => {
    // Readers never find the file half written.
    writeFileSync(`${path}.next`, String(offset))
    renameSync(`${path}.next`, path)
  }
  write()
  process.env.DORMOUSE_CLOCK = path
  return {
    folder,
    path,
    move: (seconds: number) => {
      offset += seconds * 1_000
      write()
    },
    remove: () => {
      delete process.env.DORMOUSE_CLOCK
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

type Around = Partial<Omit<StepFunctionsOptions, "path" | "machines">>

/** The service with a client. Unless told otherwise, a function answers with its payload. */
export const open = async (folder: string, definitions: Record<string, object>, around: Around = {}) => {
  const service = openStepFunctions({
    path: join(folder, "states.sqlite"),
    machines: machinesOf(definitions),
    invoke: async (_function, payload) => payload,
    ...around,
  })
  service.start()
  const { server, port } = await serve(service)
  const client = clientOf(port)
  return {
    client,
    ...driver(client),
    close: async () => {
      client.destroy()
      server.closeAllConnections()
      await new Promise((closed) => server.close(closed))
      await service.close()
    },
  }
}

export type Opened = Awaited<ReturnType<typeof open>>

/** What most tests do with a client. */
export const driver = (client: SFNClient) => {
  const describe = (executionArn: string) => client.send(new DescribeExecutionCommand({ executionArn }))
  const start = async (name: string, input: unknown = {}, execution?: string) => {
    const command = new StartExecutionCommand({
      stateMachineArn: machineArn(name),
      name: execution,
      input: JSON.stringify(input),
    })
    return (await client.send(command)).executionArn!
  }
  const history = async (executionArn: string) =>
    (await client.send(new GetExecutionHistoryCommand({ executionArn, maxResults: 1_000 }))).events!
  /** Waits until the execution is over, and answers with how. */
  const ended = async (executionArn: string) => {
    for (;;) {
      const { status, output, error, cause } = await describe(executionArn)
      if (status !== "RUNNING")
        return { status, error, cause, output: output === undefined ? undefined : (JSON.parse(output) as unknown) }
      await new Promise((soon) => setTimeout(soon, 5))
    }
  }
  return {
    describe,
    start,
    history,
    ended,
    run: async (name: string, input: unknown = {}) => ended(await start(name, input)),
    types: async (executionArn: string) => (await history(executionArn)).map(({ type }) => type),
  }
}
