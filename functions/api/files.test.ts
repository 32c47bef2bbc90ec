import { beforeAll, describe, expect, test } from "vitest"
import { type Caller, newAccount, shared } from "#test/app.ts"
import { type Container, claimedContainer, storeOutput, type Task } from "#test/container.ts"
import { newAgent, newFile } from "#test/make.ts"

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

describe("GET /files", () => {
  test("200: newest first, in pages that files which come meanwhile do not move", async () => {
    const own = await newAccount(app)
    const ids: string[] = []
    for (const name of ["a", "b", "c", "d"]) ids.unshift((await newFile(own, name, { filename: name })).id)
    const first = await own.send("GET /files?limit=2")
    await newFile(own)
    await own.send(`DELETE /files/${ids[1]}`)
    const second = await own.send(`GET /files?limit=2&cursor=${first.body.pageInfo.nextCursor}`)
    const found = [...first.body.data, ...second.body.data].map(({ id }) => id)
    expect(found).toEqual(ids)
    expect(second.body.pageInfo).toEqual({ hasMore: false, nextCursor: null })
  })

  test.each(["limit=0", "cursor=nonsense", "colour=red"])("422 invalid_request: %s", async (query) => {
    expect((await account.send(`GET /files?${query}`)).body.error.code).toBe("invalid_request")
  })
})

describe("GET /files/{fileId}", () => {
  test("200: what is known of it, as it was answered when it came", async () => {
    const file = await newFile(account, "x", { contentType: "text/plain; charset=utf-8" })
    expect((await account.send(`GET /files/${file.id}`)).body).toEqual(file)
  })

  test("404 file_not_found: an output of a task is no uploaded file", async () => {
    const id = await storeOutput(container, "own.md", Buffer.from("x"))
    for (const path of [id, `${id}/content`]) {
      const { status, body } = await account.send(`GET /files/${path}`)
      expect([status, body.error.code]).toEqual([404, "file_not_found"])
    }
  })
})

describe("GET /files/{fileId}/content", () => {
  const read = (id: string, headers: Record<string, string> = {}) =>
    fetch(`${app.apiUrl}/api/v1/files/${id}/content`, {
      headers: { authorization: `Bearer ${account.apiKey}`, ...headers },
      redirect: "manual",
    })

  test("200: the bytes as they came, as a download that no browser opens", async () => {
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7) % 256))
    const { id } = await newFile(account, bytes, { filename: '<b>"naïve".html', contentType: "text/html" })
    const response = await read(id)
    expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-type": "application/octet-stream",
      "content-disposition": "attachment; filename=\"<b>_na_ve_.html\"; filename*=UTF-8''%3Cb%3E%22na%C3%AFve%22.html",
      "x-content-type-options": "nosniff",
      "accept-ranges": "bytes",
    })
  })

  test.each([
    ["bytes=2-4", 206, "234", "bytes 2-4/10"],
    ["bytes=7-", 206, "789", "bytes 7-9/10"],
    ["bytes=-2", 206, "89", "bytes 8-9/10"],
    ["bytes=5-99", 206, "56789", "bytes 5-9/10"],
    ["bytes=4-2", 200, "0123456789", null],
    ["lines=1-2", 200, "0123456789", null],
    ["nonsense", 200, "0123456789", null],
  ])("the range %s is answered with %i", async (range, status, text, contentRange) => {
    const { id } = await newFile(account, "0123456789")
    const response = await read(id, { range })
    expect(response.status).toBe(status)
    expect(await response.text()).toBe(text)
    expect(response.headers.get("content-range")).toBe(contentRange)
  })

  test("200: a range under a condition that cannot hold is answered whole", async () => {
    const { id } = await newFile(account, "0123456789")
    const response = await read(id, { range: "bytes=2-4", "if-range": '"of-something-else"' })
    expect([response.status, await response.text()]).toEqual([200, "0123456789"])
  })

  test.each(["bytes=10-", "bytes=99-100"])("416 range_not_satisfiable: %s of ten bytes", async (range) => {
    const { id } = await newFile(account, "0123456789")
    const response = await read(id, { range })
    expect(response.status).toBe(416)
    expect(((await response.json()) as { error: { code: string } }).error.code).toBe("range_not_satisfiable")
  })
})

describe("DELETE /files/{fileId}", () => {
  const usedBytes = async (own: Caller) => (await own.send("GET /account")).body.fileStorage.usedBytes

  test("204: it is gone for its owner, and its room is free at once and once", async () => {
    const own = await newAccount(app)
    const [file] = [await newFile(own, "12345678"), await newFile(own, "123")]
    const answers = await Promise.all([1, 2, 3].map(() => own.send(`DELETE /files/${file.id}`)))
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 404, 404])
    expect(await usedBytes(own)).toBe(3)
    for (const call of ["GET /files/", "DELETE /files/"]) expect((await own.send(call + file.id)).status).toBe(404)
    expect((await own.send(`GET /files/${file.id}/content`)).status).toBe(404)
    const { id } = await newAgent(own)
    const refused = await own.send(`POST /agents/${id}/tasks`, { instructions: "Read.", inputFileIds: [file.id] })
    expect(refused.body.error.issues).toEqual([{ path: "inputFileIds.0", message: "There is no such file" }])
  })

  test("422 file_in_use: as long as an agent has it among its reference files, and is not archived", async () => {
    const file = await newFile(account)
    const [one, other] = [await newAgent(account), await newAgent(account)]
    for (const { id } of [one, other]) await account.send(`POST /agents/${id}/reference-files`, { fileIds: [file.id] })
    const remove = () => account.send(`DELETE /files/${file.id}`)

    const refused = await remove()
    expect([refused.status, refused.body.error.code]).toEqual([422, "file_in_use"])
    expect(refused.body.error.agentIds.toSorted()).toEqual([one.id, other.id].toSorted())
    await account.send(`DELETE /agents/${one.id}/reference-files/${file.id}`)
    expect((await remove()).body.error.agentIds).toEqual([other.id])
    await account.send(`DELETE /agents/${other.id}`)
    expect((await remove()).status).toBe(204)
  })

  test("204: a version that had it takes no new tasks without it", async () => {
    const file = await newFile(account)
    const agent = await newAgent(account)
    const { body } = await account.send(`POST /agents/${agent.id}/reference-files`, { fileIds: [file.id] })
    await account.send(`DELETE /agents/${agent.id}/reference-files/${file.id}`)
    expect((await account.send(`DELETE /files/${file.id}`)).status).toBe(204)
    const pinned = { instructions: "Read.", versionId: body.currentVersion.id }
    const refused = await account.send(`POST /agents/${agent.id}/tasks`, pinned)
    expect(refused.body.error.issues).toEqual([
      { path: "versionId", message: `Reference files of this version were deleted: ${file.id}` },
    ])
  })
})
