import { HttpRequest } from "@smithy/core/protocols"
import { SignatureV4 } from "@smithy/signature-v4"
import { expect, test } from "vitest"
import { Sha256 } from "./sha256.ts"
import { type Credentials, signed } from "./sign.ts"

const keys: Credentials = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" }

test.each<[string, Credentials, Record<string, string>, string, string?]>([
  ["a call", keys, { "x-amz-target": "DynamoDB_20120810.GetItem" }, "{}"],
  ["one with a token", { ...keys, sessionToken: "t+/=" }, { "x-amz-target": "AmazonSQS.SendMessage" }, '{"MessageBody":"é \\n"}'],
  ["one with spaces in a header", { ...keys, secretAccessKey: "other" }, { "x-amz-target": " a   b " }, ""],
  ["one with a path", keys, {}, "{}", "/schedules/dlv_01-3"],
  ["one with an escaped path", keys, {}, "{}", "/schedules/a%20b%3A"],
])("%s is signed as the SDK signs it, on any day", async (_, credentials, headers, body, path = "/") => {
  const all = { host: "dynamodb.eu-central-1.amazonaws.com", "content-type": "application/x-amz-json-1.0", ...headers }
  const place = { region: "eu-central-1", service: "dynamodb" }
  const signer = new SignatureV4({ ...place, credentials, sha256: Sha256, applyChecksum: false })
  for (const at of [new Date("2026-11-25T09:30:00.123Z"), new Date("2026-11-26T00:00:00Z")]) {
    const call = new HttpRequest({ method: "POST", hostname: all.host, path, headers: all, body })
    const { headers: expected } = await signer.sign(call, { signingDate: at })
    expect(signed({ method: "POST", path, headers: all, body }, place, credentials, at)).toEqual(expected)
  }
})
