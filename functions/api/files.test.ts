import { beforeAll, describe, expect, test } from "vitest"
import { newAccount, shared } from "#test/app.ts"
import { type Container, claimedContainer, storeOutput, type Task } from "#test/container.ts"

const app = shared()
const account = await newAccount(app)

const download = (taskId: string, fileId: string) =>
  fetch(`${app.apiUrl}/api/v1/tasks/${taskId}/files/${fileId}`, {
    headers: { authorization: `Bearer ${account.apiKey}` },
    redirect: "manual",
  })

let container: Container
let task: Task

beforeAll(async () => {
  container = await claimedContainer(app, account)
  task = container.task
})

describe("GET /tasks/{taskId}/files", () => {
  test("200: shows each output with its name in the policy, in pages", async () => {
    const own = await claimedContainer(app, account)
    const names = ["a.md", "sub/b.csv", "c"]
    for (const name of names) await storeOutput(own, name, Buffer.from(name), name === "a.md" ? { output_name: "a.md" } : {})
    const first = await account.send(`GET /tasks/${own.task.id}/files?limit=2`)
    const second = await account.send(`GET /tasks/${own.task.id}/files?limit=2&cursor=${first.body.pageInfo.nextCursor}`)
    expect(first.body.pageInfo.hasMore).toBe(true)
    expect(second.body.pageInfo).toEqual({ hasMore: false, nextCursor: null })
    const files = [...first.body.data, ...second.body.data]
    expect(new Set(files.map(({ filename }) => filename))).toEqual(new Set(names))
    expect(files).toHaveLength(3)
    expect(files.find(({ filename }) => filename === "a.md")).toEqual({
      id: expect.stringMatching(/^file_[0-9A-Z]{26}$/),
      filename: "a.md",
      contentType: null,
      sizeBytes: 4,
      createdAt: expect.stringMatching(/Z$/),
      outputName: "a.md",
    })
  })

  test("200: a task without outputs has an empty page", async () => {
    const own = await claimedContainer(app, account)
    const { status, body } = await account.send(`GET /tasks/${own.task.id}/files`)
    expect(status).toBe(200)
    expect(body).toEqual({ data: [], pageInfo: { hasMore: false, nextCursor: null } })
  })

  test.each(["limit=0", "cursor=nonsense", "colour=red"])("422 invalid_request: %s", async (query) => {
    const { status, body } = await account.send(`GET /tasks/${task.id}/files?${query}`)
    expect(status).toBe(422)
    expect(body.error.issues).toEqual([{ path: query.split("=")[0], message: expect.any(String) }])
  })

  test("404 task_not_found", async () => {
    const { status, body } = await account.send("GET /tasks/tsk_nothing/files")
    expect(status).toBe(404)
    expect(body.error.code).toBe("task_not_found")
  })
})

describe("GET /tasks/{taskId}/files/{fileId}", () => {
  test("200: the bytes come as they are, as a download that no browser opens", async () => {
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7) % 256))
    const id = await storeOutput(container, "data.bin", bytes, { content_type: "text/html" })
    const response = await download(task.id, id)
    expect(response.status).toBe(200)
    expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-type": "application/octet-stream",
      "content-disposition": "attachment; filename=\"data.bin\"; filename*=UTF-8''data.bin",
      "x-content-type-options": "nosniff",
    })
  })

  test("200: an empty file is a file", async () => {
    const response = await download(task.id, await storeOutput(container, "empty", Buffer.alloc(0)))
    expect(response.status).toBe(200)
    expect(await response.text()).toBe("")
  })

  test.each([
    ["sub folder/naïve 🐭 'quoted' \"twice\".md", "na_ve __ 'quoted' _twice_.md"],
    ["100%.txt", "100_.txt"],
  ])("200: the name %s reaches every client whole", async (filename, plain) => {
    const response = await download(task.id, await storeOutput(container, filename, Buffer.from("x")))
    const disposition = response.headers.get("content-disposition")!
    expect(disposition).toContain(`filename="${plain}"`)
    const encoded = /filename\*=UTF-8''([\w.~%-]+)$/.exec(disposition)?.[1]
    expect(decodeURIComponent(encoded!)).toBe(filename.split("/").at(-1))
  })

  test("302: a file over 100 MB is fetched from where it lies", async () => {
    const bytes = Buffer.alloc(100 * 1024 ** 2 + 1, "x")
    const response = await download(task.id, await storeOutput(container, "large.bin", bytes))
    expect(response.status).toBe(302)
    const found = await fetch(response.headers.get("location")!, { headers: { range: "bytes=0-4" } })
    expect(await found.text()).toBe("xxxxx")
    expect(found.headers.get("content-type")).toBe("application/octet-stream")
    expect(found.headers.get("content-disposition")).toContain('filename="large.bin"')
  })

  test("404 file_not_found: a file of another task is none of this one's", async () => {
    const other = await claimedContainer(app, account)
    const id = await storeOutput(other, "report.md", Buffer.from("x"))
    const { status, body } = await account.send(`GET /tasks/${task.id}/files/${id}`)
    expect(status).toBe(404)
    expect(body.error.code).toBe("file_not_found")
  })

  test("404 task_not_found: the task comes first", async () => {
    const { status, body } = await account.send("GET /tasks/tsk_nothing/files/file_nothing")
    expect(status).toBe(404)
    expect(body.error.code).toBe("task_not_found")
  })
})
