import { createHash } from "node:crypto"
import { createServer, type IncomingHttpHeaders } from "node:http"
import type { AddressInfo } from "node:net"
import { DynamoDBClient, ListTablesCommand } from "@aws-sdk/client-dynamodb"
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda"
import { SFNClient, StartExecutionCommand } from "@aws-sdk/client-sfn"
import { afterAll, beforeEach, expect, test } from "vitest"
import { AwsError } from "./service.ts"
import { type Verified, verify } from "./signature.ts"

const credentials = { accessKeyId: "AKIATEST", secretAccessKey: "secret/of+the=tests" }
const secretOf = (id: string) => (id === credentials.accessKeyId ? credentials.secretAccessKey : undefined)

interface Seen {
  method: string
  url: string
  headers: IncomingHttpHeaders
  payloadHash: string
}

/** What the last request was, and what came of it. */
let seen: Seen
let outcome: Verified | AwsError

const judge = (request: Seen) => {
  try {
    return verify({ ...request, secretOf })
  } catch (error) {
    if (error instanceof AwsError) return error
    throw error
  }
}

const server = createServer(async (request, response) => {
  const { method = "", url = "", headers } = request
  const body = Buffer.concat(await request.toArray())
  seen = { method, url, headers, payloadHash: createHash("sha256").update(body).digest("hex") }
  outcome = judge(seen)
  response.end("{}")
})
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

const options = {
  endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  region: "eu-central-1",
  credentials,
  maxAttempts: 1,
}
const states = new SFNClient(options)
const start = (client = states) =>
  client.send(new StartExecutionCommand({ stateMachineArn: "arn:aws:states:eu-central-1:1:stateMachine:a", input: "{}" }))
beforeEach(async () => {
  await start()
})

test("a call of the SDK tells its access key, region and service", () => {
  expect(outcome).toEqual({
    accessKeyId: "AKIATEST",
    region: "eu-central-1",
    service: "states",
    payload: seen.payloadHash,
    presigned: false,
  })
})

test("another service's calls are verified by the same rules", async () => {
  await new DynamoDBClient({ ...options, region: "us-east-1" }).send(new ListTablesCommand({}))
  expect(outcome).toMatchObject({ region: "us-east-1", service: "dynamodb" })
})

test("a path with signs of its own is verified, which every service but S3 signs encoded twice", async () => {
  const FunctionName = "arn:aws:lambda:eu-central-1:123456789012:function:a b+c"
  await new LambdaClient(options).send(new InvokeCommand({ FunctionName, Qualifier: "with space & more", Payload: "{}" }))
  expect(seen.url).toContain("%3A")
  expect(outcome).toMatchObject({ service: "lambda" })
})

test("a session token is part of what is signed", async () => {
  await start(new SFNClient({ ...options, credentials: { ...credentials, sessionToken: "token" } }))
  expect(outcome).toMatchObject({ service: "states" })
  expect(judge({ ...seen, headers: { ...seen.headers, "x-amz-security-token": "other" } })).toMatchObject({
    code: "SignatureDoesNotMatch",
  })
})

test("a wrong secret, and a key that nobody has, are refused", async () => {
  await start(new SFNClient({ ...options, credentials: { ...credentials, secretAccessKey: "guess" } }))
  expect(outcome).toMatchObject({ code: "SignatureDoesNotMatch", status: 403 })
  await start(new SFNClient({ ...options, credentials: { ...credentials, accessKeyId: "AKIANOBODY" } }))
  expect(outcome).toMatchObject({ code: "UnrecognizedClientException", status: 400 })
})

test("a request that is not signed is refused, and so is a signature that cannot be read", () => {
  const { authorization, ...unsigned } = seen.headers
  const damaged = [
    undefined,
    "Bearer ac_live_x",
    "AWS4-HMAC-SHA256",
    "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=0",
  ]
  for (const each of damaged) {
    expect(judge({ ...seen, headers: { ...unsigned, authorization: each } })).toMatchObject({ code: "AccessDenied", status: 403 })
  }
  expect(judge({ ...seen, headers: { ...unsigned, authorization: authorization!.slice(0, -1) } })).toMatchObject({
    code: "SignatureDoesNotMatch",
  })
})

test("whatever was changed after the signing is noticed", () => {
  const { headers } = seen
  const changed: Partial<Seen>[] = [
    { method: "PUT" },
    { url: "/other" },
    { url: "/?added=1" },
    { payloadHash: createHash("sha256").update("another body").digest("hex") },
    { headers: { ...headers, "x-amz-target": "AWSStepFunctions.StopExecution" } },
    { headers: { ...headers, host: "elsewhere" } },
    { headers: { ...headers, authorization: headers.authorization!.replace("eu-central-1", "us-east-1") } },
    { headers: { ...headers, authorization: headers.authorization!.replace("/states/", "/s3/") } },
  ]
  for (const change of changed)
    expect(judge({ ...seen, ...change })).toMatchObject({ code: "SignatureDoesNotMatch", status: 403 })
})

test("an x-amz- header that the signature does not cover is refused", () => {
  const added = judge({ ...seen, headers: { ...seen.headers, "x-amz-added": "later" } })
  expect(added).toMatchObject({ code: "AccessDenied", extra: { HeadersNotSigned: "x-amz-added" } })
})

test.each([-16, 16])("a request of %d minutes from now is too far off", async (minutes) => {
  await start(new SFNClient({ ...options, systemClockOffset: minutes * 60_000 }))
  expect(outcome).toMatchObject({ code: "RequestTimeTooSkewed", status: 403 })
})

test("a request of 14 minutes ago is taken", async () => {
  await start(new SFNClient({ ...options, systemClockOffset: -14 * 60_000 }))
  expect(outcome).toMatchObject({ service: "states" })
})

test("a request without a date, and a credential of another day, are refused", () => {
  const { headers } = seen
  expect(judge({ ...seen, headers: { ...headers, "x-amz-date": "today" } })).toMatchObject({ code: "AccessDenied" })
  const day = headers["x-amz-date"]!.slice(0, 8)
  const other = headers.authorization!.replace(`/${day}/`, "/20200101/")
  expect(judge({ ...seen, headers: { ...headers, authorization: other } })).toMatchObject({ code: "AccessDenied" })
})

test("signed headers that no request has are empty, even those with the names of what every object has", () => {
  const authorization = seen.headers.authorization!.replace("SignedHeaders=", "SignedHeaders=__proto__;constructor;")
  expect(judge({ ...seen, headers: { ...seen.headers, authorization } })).toMatchObject({ code: "SignatureDoesNotMatch" })
})

test("a URL whose escapes are none is refused", () => {
  expect(judge({ ...seen, url: "/%zz?a=1" })).toMatchObject({ code: "SignatureDoesNotMatch" })
  expect(judge({ ...seen, url: "/?a=%ff" })).toMatchObject({ code: "InvalidURI", status: 400 })
})
