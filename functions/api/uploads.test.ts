import { createHash } from "node:crypto"
import { describe, expect, test } from "vitest"
import { type Answer, newAccount, shared } from "#test/app.ts"
import { newFile, newUpload, put } from "#test/make.ts"

const app = shared()
const account = await newAccount(app)

const GiB = 1024 ** 3
type Account = typeof account

const prepare = (body: object, by: Account = account) => by.send("POST /uploads/prepare", { filename: "data.csv", ...body })
const complete = (uploadId: string, by: Account = account) => by.send("POST /uploads/complete", { uploadId })
const codeOf = ({ status, body }: Answer) => [status, body.error?.code]
const storageOf = async (by: Account) => {
  const { usedBytes, reservedBytes } = (await by.send("GET /account")).body.fileStorage
  return { usedBytes, reservedBytes }
}

/** An account with so many bytes of its storage left. */
const almostFull = async (left: number) => {
  const full = await newAccount(app)
  for (const sizeBytes of [5 * GiB, 5 * GiB - left]) await prepare({ sizeBytes }, full)
  return full
}

describe("POST /uploads/prepare", () => {
  test("201: says where the bytes go, how, and until when", async () => {
    const before = Date.now()
    const { status, body } = await prepare({ sizeBytes: 5, contentType: "text/csv" })
    expect(status).toBe(201)
    expect(body).toEqual({
      uploadId: expect.stringMatching(/^upl_[0-9A-Z]{26}$/),
      uploadUrl: expect.stringMatching(/^http/),
      method: "PUT",
      headers: { "content-length": "5", "if-none-match": "*" },
      expiresAt: expect.stringMatching(/Z$/),
    })
    expect(Date.parse(body.expiresAt) - before).toBeGreaterThanOrEqual(900_000)
    expect(Date.parse(body.expiresAt) - before).toBeLessThan(920_000)
  })

  test("201: the address takes the bytes that were announced, once", async () => {
    const prepared = await prepare({ sizeBytes: 5 })
    expect((await put(prepared, "123456")).status).toBe(403)
    expect((await put(prepared, "12345")).status).toBe(200)
    expect((await put(prepared, "54321")).status).toBe(412)
  })

  test("201: without the header that makes it once, nothing is taken at all", async () => {
    const { body } = await prepare({ sizeBytes: 5 })
    expect((await fetch(body.uploadUrl, { method: "PUT", body: "12345" })).status).toBe(403)
  })

  test("201: bytes of another hash than was announced are not taken", async () => {
    const sha256 = createHash("sha256").update("right").digest("hex")
    const prepared = await prepare({ sizeBytes: 5, sha256: sha256.toUpperCase() })
    expect((await put(prepared, "wrong")).status).toBe(400)
    expect(codeOf(await complete(prepared.body.uploadId))).toEqual([422, "upload_incomplete"])
    const { "x-amz-checksum-sha256": _, ...headers } = prepared.body.headers
    const cheat = await fetch(prepared.body.uploadUrl, { method: "PUT", headers, body: "wrong" })
    expect(cheat.status).toBe(403)
    expect((await put(prepared, "right")).status).toBe(200)
    expect((await complete(prepared.body.uploadId)).status).toBe(201)
  })

  test.each([
    "Ξένη λέξη.txt",
    "数据 資料 データ.csv",
    "ملف.pdf",
    "קובץ.doc",
    "ไฟล์.png",
    "फ़ाइल",
    "🐭👩‍👩‍👧.zip",
    ".env",
    "...",
    "a..b",
    "-rf",
    "con",
    "a".repeat(255),
  ])("201: %s is a name, and kept as it is", async (filename) => {
    const file = await newFile(account, "x", { filename })
    expect(file.filename).toBe(filename)
  })

  test.each([
    "",
    " ",
    ".",
    "..",
    "a/b",
    "../a",
    "/etc/passwd",
    "a\\b",
    "nul\0byte",
    "line\nbreak",
    "\u2028",
    "\u0085",
    "\ud800",
    "a".repeat(256),
  ])("422 invalid_request: %j is no name of a file", async (filename) => {
    const answer = await prepare({ filename })
    expect(codeOf(answer)).toEqual([422, "invalid_request"])
    expect(answer.body.error.issues[0].path).toBe("filename")
  })

  test.each([-1, 1.5, 5 * GiB + 1, 1e300, "1", null, true])("422 invalid_request: %j is no size", async (sizeBytes) => {
    const answer = await prepare({ sizeBytes })
    expect(codeOf(answer)).toEqual([422, "invalid_request"])
    expect(answer.body.error.issues[0].path).toBe("sizeBytes")
  })

  test.each([
    ["contentType", ""],
    ["contentType", "csv"],
    ["contentType", "text/csv\r\nx-evil: 1"],
    ["contentType", `text/${"x".repeat(300)}`],
    ["sha256", "abc"],
    ["sha256", "z".repeat(64)],
    ["filename", 1],
    ["colour", "red"],
  ])("422 invalid_request: %s cannot be %j", async (field, value) => {
    const answer = await prepare({ [field]: value })
    expect(codeOf(answer)).toEqual([422, "invalid_request"])
    expect(answer.body.error.issues[0].path).toBe(field)
  })

  test("422 storage_quota_exceeded: what is announced is held back, to the last byte", async () => {
    const full = await almostFull(7)
    expect(await storageOf(full)).toEqual({ usedBytes: 0, reservedBytes: 10 * GiB - 7 })
    expect(codeOf(await prepare({ sizeBytes: 8 }, full))).toEqual([422, "storage_quota_exceeded"])
    expect((await prepare({ sizeBytes: 7 }, full)).status).toBe(201)
    expect(codeOf(await prepare({ sizeBytes: 1 }, full))).toEqual([422, "storage_quota_exceeded"])
    expect((await prepare({ sizeBytes: 0 }, full)).status).toBe(201)
    expect(await storageOf(full)).toEqual({ usedBytes: 0, reservedBytes: 10 * GiB })
  })

  test("422 storage_quota_exceeded: of many at once exactly those that fit are let through", async () => {
    const racing = await newAccount(app)
    const answers = await Promise.all(Array.from({ length: 14 }, () => prepare({ sizeBytes: GiB }, racing)))
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(10)
    expect(answers.filter(({ status }) => status !== 201).map(codeOf)).toEqual(Array(4).fill([422, "storage_quota_exceeded"]))
    expect(await storageOf(racing)).toEqual({ usedBytes: 0, reservedBytes: 10 * GiB })
  })
})

describe("POST /uploads/complete", () => {
  test("201: the file is there, counted once, however often it is completed", async () => {
    const own = await newAccount(app)
    const uploadId = await newUpload(own, "a,b\n1,2\n", { filename: "figures.csv", contentType: "text/csv" })
    expect(await storageOf(own)).toEqual({ usedBytes: 0, reservedBytes: 8 })
    const answers = await Promise.all(Array.from({ length: 4 }, () => complete(uploadId, own)))
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201])
    expect(answers[0]!.body).toEqual({
      id: expect.stringMatching(/^file_[0-9A-Z]{26}$/),
      filename: "figures.csv",
      contentType: "text/csv",
      sizeBytes: 8,
      createdAt: expect.stringMatching(/Z$/),
    })
    for (const { body } of [...answers, await complete(uploadId, own)]) expect(body).toEqual(answers[0]!.body)
    expect(await storageOf(own)).toEqual({ usedBytes: 8, reservedBytes: 0 })
    expect((await own.send("GET /files")).body.data).toEqual([answers[0]!.body])
  })

  test("201: a size that was not announced is counted when it is known", async () => {
    const own = await newAccount(app)
    const uploadId = await newUpload(own, "12345", { sizeBytes: undefined })
    expect(await storageOf(own)).toEqual({ usedBytes: 0, reservedBytes: 0 })
    expect((await complete(uploadId, own)).body).toMatchObject({ sizeBytes: 5, contentType: null })
    expect(await storageOf(own)).toEqual({ usedBytes: 5, reservedBytes: 0 })
  })

  test("201: an empty file is a file", async () => {
    expect(await newFile(account, "")).toMatchObject({ sizeBytes: 0 })
  })

  test("201: the bytes of a file cannot be replaced by the address that they came by", async () => {
    const prepared = await prepare({})
    await put(prepared, "first")
    const { body: file } = await complete(prepared.body.uploadId)
    expect((await put(prepared, "second")).status).toBe(412)
    expect((await account.send(`GET /files/${file.id}/content`)).body).toBe("first")
  })

  test("201: a storageId, which is for uploads by POST, changes nothing", async () => {
    const uploadId = await newUpload(account)
    expect((await account.send("POST /uploads/complete", { uploadId, storageId: "kg2" })).status).toBe(201)
  })

  test("422 upload_incomplete: nothing was uploaded yet; once it is there, it can be completed", async () => {
    const prepared = await prepare({ sizeBytes: 5 })
    expect(codeOf(await complete(prepared.body.uploadId))).toEqual([422, "upload_incomplete"])
    await put(prepared, "12345")
    expect((await complete(prepared.body.uploadId)).status).toBe(201)
  })

  test("422 storage_quota_exceeded: what was not announced must fit as well", async () => {
    const full = await almostFull(3)
    const [fits, doesNot] = [
      await newUpload(full, "123", { sizeBytes: undefined }),
      await newUpload(full, "1234", { sizeBytes: undefined }),
    ]
    expect(codeOf(await complete(doesNot, full))).toEqual([422, "storage_quota_exceeded"])
    expect((await complete(fits, full)).status).toBe(201)
    expect((await storageOf(full)).usedBytes).toBe(3)
  })

  test("422 invalid_request: another account's upload is the same as none", async () => {
    const uploadId = await newUpload(account)
    const stranger = await newAccount(app)
    for (const id of [uploadId, "upl_nothing", "\0", "x".repeat(255)]) {
      const answer = await complete(id, stranger)
      expect(codeOf(answer)).toEqual([422, "invalid_request"])
      expect(answer.body.error.issues).toEqual([{ path: "uploadId", message: "There is no such upload" }])
    }
    expect((await complete(uploadId)).status).toBe(201)
  })

  test("422 invalid_request: the file of this upload was deleted", async () => {
    const uploadId = await newUpload(account)
    const { body } = await complete(uploadId)
    await account.send(`DELETE /files/${body.id}`)
    expect(codeOf(await complete(uploadId))).toEqual([422, "invalid_request"])
  })
})
