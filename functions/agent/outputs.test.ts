import { beforeAll, describe, expect, test } from "vitest"
import { newAccount, shared } from "#test/app.ts"
import { type Container, claimedContainer, storeOutput } from "#test/container.ts"

const app = shared()
const account = await newAccount(app)
let container: Container

beforeAll(async () => {
  container = await claimedContainer(app, account)
})

const output = (filename: string, size: number, more: object = {}) => ({ filename, size_bytes: size, output_name: null, ...more })
const put = ({ upload_url, method, headers }: Record<string, string>, text: string, more: object = {}) =>
  fetch(upload_url!, { method: method!, headers: { ...(headers as unknown as object), ...more }, body: text })
const filesOf = async ({ task }: Container) => (await account.send(`GET /tasks/${task.id}/files`)).body.data
const codeOf = ({ status, body }: { status: number; body: { error?: { code: string } } }) => [status, body.error?.code]

describe("POST /agent/tasks/{run_id}/outputs/prepare", () => {
  test("200: the address takes exactly the bytes that were announced", async () => {
    const { status, body } = await container.send("outputs/prepare", output("exact.txt", 5))
    expect(status).toBe(200)
    expect(body).toEqual({
      file_id: expect.stringMatching(/^file_/),
      upload_url: expect.stringMatching(/^http/),
      method: "PUT",
      headers: { "content-length": "5" },
    })
    expect((await put(body, "12345")).status).toBe(200)
  })

  test("200: S3 refuses another size than was signed for", async () => {
    const { body } = await container.send("outputs/prepare", output("larger.txt", 5))
    const answer = await fetch(body.upload_url, { method: "PUT", body: "123456" })
    expect(answer.status).toBe(403)
  })

  test("200: nothing is visible before it is complete", async () => {
    const { body } = await container.send("outputs/prepare", output("hidden.txt", 1))
    await put(body, "x")
    expect((await filesOf(container)).map(({ filename }: { filename: string }) => filename)).not.toContain("hidden.txt")
  })

  test.each([
    "../escape",
    "a/../b",
    "..",
    ".",
    "./a",
    "/absolute",
    "a//b",
    "a/",
    "",
    "back\\slash",
    "line\nbreak",
    "zero\0byte",
    "half a character \ud83d",
    "x".repeat(1_025),
  ])("422 invalid_request: %j is no path below output/", async (filename) => {
    for (const call of ["outputs/prepare", "outputs/complete"]) {
      const answer = await container.send(call, output(filename, 1))
      expect(codeOf(answer)).toEqual([422, "invalid_request"])
      expect(answer.body.error.issues.map(({ path }: { path: string }) => path)).toEqual(["filename"])
    }
  })

  test.each(["...", "..a", "a..b", ".hidden", "naïve 🐭.md", "a/b/c/d", "C:", "con"])("200: %j is one", async (filename) => {
    expect((await container.send("outputs/prepare", output(filename, 1))).status).toBe(200)
  })

  test.each([-1, 1.5, 5 * 1024 ** 3 + 1, "1"])("422 invalid_request: %j is no size", async (size) => {
    const answer = await container.send("outputs/prepare", output("a", size as number))
    expect(codeOf(answer)).toEqual([422, "invalid_request"])
  })
})

describe("POST /agent/tasks/{run_id}/outputs/complete", () => {
  test("200: the file is there, and sent twice it is there once", async () => {
    const own = await claimedContainer(app, account)
    const more = { content_type: "text/markdown", output_name: "report.md" }
    const id = await storeOutput(own, "report.md", Buffer.from("text"), more)
    expect((await own.send("outputs/complete", output("report.md", 4, more))).body).toEqual({ accepted: true })
    expect(await filesOf(own)).toEqual([
      {
        id,
        filename: "report.md",
        contentType: "text/markdown",
        sizeBytes: 4,
        createdAt: expect.any(String),
        outputName: "report.md",
      },
    ])
  })

  test("200: a file written again replaces the one of its name", async () => {
    const own = await claimedContainer(app, account)
    const first = await storeOutput(own, "report.md", Buffer.from("first"), { output_name: "report.md" })
    const second = await storeOutput(own, "report.md", Buffer.from("second, longer"))
    expect(second).toBe(first)
    expect(await filesOf(own)).toMatchObject([{ id: first, sizeBytes: 14, outputName: null }])
    expect((await account.send(`GET /tasks/${own.task.id}/files/${first}`)).body).toBe("second, longer")
  })

  test("200: what was stored stays when the task fails", async () => {
    const own = await claimedContainer(app, account)
    await storeOutput(own, "half.md", Buffer.from("half"))
    await own.send("fail", { error: "Broken." })
    expect(await filesOf(own)).toMatchObject([{ filename: "half.md" }])
  })

  test("422 upload_incomplete: nothing was uploaded", async () => {
    expect(codeOf(await container.send("outputs/complete", output("nothing.txt", 1)))).toEqual([422, "upload_incomplete"])
  })

  test("422 upload_incomplete: another size was uploaded than is announced now", async () => {
    const { body } = await container.send("outputs/prepare", output("size.txt", 5))
    await put(body, "12345")
    expect(codeOf(await container.send("outputs/complete", output("size.txt", 4)))).toEqual([422, "upload_incomplete"])
  })
})
