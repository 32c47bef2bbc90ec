import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { as, newAccount, shared } from "#test/app.ts"
import { items } from "#test/aws.ts"
import { type OwnStack, ownStack } from "#test/stack.ts"
import { moveTime } from "#test/time.ts"

const app = shared()

describe("POST /api-keys", () => {
  test("201: the new key opens the account, and is shown this once", async () => {
    const account = await newAccount(app, { creditUsd: 0 })
    const { status, body } = await account.send("POST /api-keys", { name: " Build server " })
    expect(status).toBe(201)
    expect(body).toEqual({
      key: expect.stringMatching(/^ac_live_[0-9A-Za-z]{43}$/),
      apiKey: {
        id: expect.stringMatching(/^key_[0-9A-Z]{26}$/),
        name: "Build server",
        prefix: "ac_live_",
        lastFour: body.key.slice(-4),
        createdAt: expect.stringMatching(/Z$/),
      },
    })
    expect((await as(app, body.key).send("GET /account")).body.id).toBe(account.accountId)

    const listed = (await account.send("GET /api-keys")).body
    expect(listed.data[0]).toEqual(body.apiKey)
    expect(JSON.stringify([listed, await items(app, account.accountId)])).not.toContain(body.key)
  })

  test.each(["", " ", "x".repeat(201)])("422 invalid_request: a bad name", async (name) => {
    const account = await newAccount(app, { creditUsd: 0 })
    const { status, body } = await account.send("POST /api-keys", { name })
    expect(status).toBe(422)
    expect(body.error.issues[0].path).toBe("name")
  })
})

describe("GET /api-keys", () => {
  test("200: all keys of the account, the operator's too, newest first and in pages", async () => {
    const account = await newAccount(app, { creditUsd: 0 })
    for (const name of ["One", "Two"]) await account.send("POST /api-keys", { name })
    const first = (await account.send("GET /api-keys?limit=2")).body
    const second = (await account.send(`GET /api-keys?limit=2&cursor=${first.pageInfo.nextCursor}`)).body
    expect([...first.data, ...second.data].map(({ name }) => name)).toEqual(["Two", "One", "Made by the operator"])
    expect(second.data[0].lastFour).toBe(account.apiKey.slice(-4))
    expect(second.pageInfo).toEqual({ hasMore: false, nextCursor: null })
  })
})

describe("GET /api-keys/{keyId}", () => {
  test("200: what the list shows of it", async () => {
    const account = await newAccount(app, { creditUsd: 0 })
    const { apiKey } = (await account.send("POST /api-keys", { name: "Build server" })).body
    const { status, body } = await account.send(`GET /api-keys/${apiKey.id}`)
    expect([status, body]).toEqual([200, apiKey])
  })
})

describe("DELETE /api-keys/{keyId}", () => {
  const time = moveTime()
  let own: OwnStack

  beforeAll(async () => {
    own = await ownStack({}, undefined, { idle: true })
  })

  afterAll(async () => {
    await own.stop()
    time.release()
  })

  test("204: the key is gone from the list and opens nothing a minute later, and the others stay", async () => {
    const account = await newAccount(own, { creditUsd: 0 })
    const { key, apiKey } = (await account.send("POST /api-keys", { name: "Lost" })).body
    const lost = as(own, key)
    expect((await lost.send("GET /account")).status).toBe(200)

    expect((await account.send(`DELETE /api-keys/${apiKey.id}`)).status).toBe(204)
    expect((await account.send("GET /api-keys")).body.data).toHaveLength(1)
    // A function that has not seen it refuses it at once, and one that has after a minute.
    expect((await lost.send("GET /agents")).status).toBe(401)
    time.advance(60_000)
    expect((await lost.send("GET /account")).status).toBe(401)
    expect((await account.send("GET /account")).status).toBe(200)
  })

  test("404 api_key_not_found: twice", async () => {
    const account = await newAccount(own, { creditUsd: 0 })
    const { apiKey } = (await account.send("POST /api-keys", { name: "Lost" })).body
    await account.send(`DELETE /api-keys/${apiKey.id}`)
    const { status, body } = await account.send(`DELETE /api-keys/${apiKey.id}`)
    expect(status).toBe(404)
    expect(body.error.code).toBe("api_key_not_found")
  })
})
