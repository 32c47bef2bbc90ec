import {
  AbortMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
} from "@aws-sdk/client-s3"
import { afterAll, beforeEach, expect, test } from "vitest"
import { bucket as Bucket, clientOf, credentials, startServer } from "./s3/test-server.ts"
import { AwsError, type Caller } from "./service.ts"

let asked: string[] = []
let denied: (question: string) => boolean = () => false
const callers = new Set<Caller>()
const requests: string[] = []

const server = await startServer({
  authorize(caller, action, resource) {
    callers.add(caller)
    const question = `${action} ${resource}`
    asked.push(question)
    if (denied(question)) throw new AwsError("AccessDenied", `User is not authorized to perform: ${action}`, 403)
  },
  onRequest: (operation) => requests.push(operation),
})
const client = clientOf(server.endpoint, { region: "eu-central-1" })
afterAll(() => server.stop())
beforeEach(() => {
  asked = []
  requests.length = 0
  denied = () => false
})

const file = "arn:aws:s3:::files/a/b"
const accessDenied = expect.objectContaining({
  name: "AccessDenied",
  $metadata: expect.objectContaining({ httpStatusCode: 403 }),
})
const object = { Bucket, Key: "a/b" }

test("every operation asks for the actions that S3 asks for", async () => {
  const questionsOf = async (call: () => Promise<unknown>) => {
    asked = []
    await call()
    return asked
  }
  expect(await questionsOf(() => client.send(new CreateBucketCommand({ Bucket: "third" })))).toEqual([
    "s3:CreateBucket arn:aws:s3:::third",
  ])
  expect(await questionsOf(() => client.send(new PutObjectCommand({ ...object, Body: "x" })))).toEqual([`s3:PutObject ${file}`])
  expect(await questionsOf(() => client.send(new PutObjectCommand({ ...object, Body: "x", Tagging: "a=b" })))).toEqual([
    `s3:PutObject ${file}`,
    `s3:PutObjectTagging ${file}`,
  ])
  expect(await questionsOf(() => client.send(new GetObjectCommand(object)))).toEqual([`s3:GetObject ${file}`])
  expect(await questionsOf(() => client.send(new HeadObjectCommand(object)))).toEqual([`s3:GetObject ${file}`])
  expect(await questionsOf(() => client.send(new ListObjectsV2Command({ Bucket })))).toEqual(["s3:ListBucket arn:aws:s3:::files"])
  expect(await questionsOf(() => client.send(new CopyObjectCommand({ Bucket, Key: "c", CopySource: "files/a/b" })))).toEqual([
    `s3:GetObject ${file}`,
    "s3:PutObject arn:aws:s3:::files/c",
  ])
  expect(await questionsOf(() => client.send(new DeleteObjectCommand(object)))).toEqual([`s3:DeleteObject ${file}`])
  const { UploadId } = await client.send(new CreateMultipartUploadCommand(object))
  expect(await questionsOf(() => client.send(new ListPartsCommand({ ...object, UploadId })))).toEqual([
    `s3:ListMultipartUploadParts ${file}`,
  ])
  expect(await questionsOf(() => client.send(new AbortMultipartUploadCommand({ ...object, UploadId })))).toEqual([
    `s3:AbortMultipartUpload ${file}`,
  ])
  expect([...callers][0]).toEqual({ accessKeyId: credentials.accessKeyId, region: "eu-central-1" })
  expect(requests).toEqual([
    ...["CreateBucket", "PutObject", "PutObject", "GetObject", "HeadObject", "ListObjectsV2", "CopyObject", "DeleteObject"],
    ...["CreateMultipartUpload", "ListParts", "AbortMultipartUpload"],
  ])
})

test("what is denied is AccessDenied and changes nothing", async () => {
  await client.send(new PutObjectCommand({ ...object, Body: "first" }))
  denied = (question) => question.startsWith("s3:PutObject") || question.startsWith("s3:DeleteObject")
  await expect(client.send(new PutObjectCommand({ ...object, Body: "second" }))).rejects.toEqual(accessDenied)
  await expect(client.send(new DeleteObjectCommand(object))).rejects.toEqual(accessDenied)
  const { Body } = await client.send(new GetObjectCommand(object))
  expect(await Body!.transformToString()).toBe("first")
})

test("a batch deletes what is allowed and says what is not", async () => {
  await client.send(new PutObjectCommand({ Bucket, Key: "free", Body: "x" }))
  await client.send(new PutObjectCommand({ Bucket, Key: "kept", Body: "x" }))
  denied = (question) => question === "s3:DeleteObject arn:aws:s3:::files/kept"
  const answer = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: "free" }, { Key: "kept" }] } }))
  expect(answer.Deleted).toEqual([{ Key: "free" }])
  expect(answer.Errors).toMatchObject([{ Key: "kept", Code: "AccessDenied" }])
})

test("who may not list a bucket does not learn that an object is missing", async () => {
  denied = (question) => question.startsWith("s3:ListBucket")
  await expect(client.send(new GetObjectCommand({ Bucket, Key: "missing" }))).rejects.toEqual(accessDenied)
  denied = () => false
  await expect(client.send(new GetObjectCommand({ Bucket, Key: "missing" }))).rejects.toThrow("The specified key does not exist.")
})

test("a bad signature is not counted and nobody is asked about it", async () => {
  const stranger = clientOf(server.endpoint, { credentials: { ...credentials, secretAccessKey: "guess" } })
  await expect(stranger.send(new GetObjectCommand(object))).rejects.toMatchObject({ name: "SignatureDoesNotMatch" })
  const unknown = clientOf(server.endpoint, { credentials: { ...credentials, accessKeyId: "AKIANOBODY" } })
  await expect(unknown.send(new GetObjectCommand(object))).rejects.toMatchObject({ name: "InvalidAccessKeyId" })
  expect([asked, requests]).toEqual([[], []])
})
