import { createHash, createHmac } from "node:crypto"
import { afterAll, beforeAll, expect, test } from "vitest"
import { type Credentials, makeKeyRing } from "./credentials.ts"
import { makeFixture, roleOf } from "./fixture.ts"
import { openLambda } from "./lambda/lambda.ts"
import { openPort, type Port } from "./port.ts"
import { awsHandler, openBooks } from "./server.ts"

const fixture = makeFixture({ someone: { code: "export const handler = () => {}" } })
const keys = makeKeyRing(fixture.wiring)
const { operator } = keys
const lambda = openLambda({ ...fixture.wiring, ...fixture, verbose: false, environment: () => ({}) })
let aws: Port

beforeAll(async () => {
  aws = await openPort(0)
  const s3 = () => Promise.reject(new Error("There is no S3 here"))
  aws.serve(awsHandler({ wiring: fixture.wiring, keys, services: [], lambda, s3, books: openBooks() }))
})

afterAll(async () => {
  await aws.close()
  await lambda.close()
  fixture.remove()
})

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex")
const hmac = (key: string | Buffer, text: string) => createHmac("sha256", key).update(text).digest()

/** Asks STS as the AWS CLI does: a form, signed for the service. */
const ask = (form: string, { accessKeyId, secretAccessKey }: Credentials) => {
  const host = `127.0.0.1:${aws.number}`
  const date = new Date().toISOString().replace(/[-:]|\.\d+/g, "")
  const scope = `${date.slice(0, 8)}/us-east-1/sts/aws4_request`
  const canonical = ["POST", "/", "", `host:${host}`, `x-amz-date:${date}`, "", "host;x-amz-date", sha256(form)].join("\n")
  const key = scope.split("/").reduce<string | Buffer>(hmac, `AWS4${secretAccessKey}`)
  const signature = hmac(key as Buffer, ["AWS4-HMAC-SHA256", date, scope, sha256(canonical)].join("\n")).toString("hex")
  const authorization = `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=host;x-amz-date, Signature=${signature}`
  const headers = { authorization, "x-amz-date": date, "content-type": "application/x-www-form-urlencoded" }
  return fetch(`http://${host}/`, { method: "POST", body: form, headers })
}

const identity = "Action=GetCallerIdentity&Version=2011-06-15"

test("the operator is the root of the account, and a role's keys are the role", async () => {
  const root = await (await ask(identity, operator)).text()
  expect(root).toContain("<Arn>arn:aws:iam::123456789012:root</Arn>")
  expect(root).toContain("<Account>123456789012</Account>")
  const role = await (await ask(identity, keys.of(roleOf("someone")))).text()
  expect(role).toContain("<Arn>arn:aws:sts::123456789012:assumed-role/fixture-someone/local</Arn>")
})

test("a wrong secret is refused, and so is what STS does not offer here", async () => {
  const wrong = await ask(identity, { ...operator, secretAccessKey: "wrong" })
  expect([wrong.status, await wrong.text()]).toEqual([403, expect.stringContaining("Signature")])
  const other = await ask("Action=AssumeRole&Version=2011-06-15", operator)
  expect([other.status, await other.text()]).toEqual([400, expect.stringContaining("InvalidAction")])
})
