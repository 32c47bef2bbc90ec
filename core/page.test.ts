import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { shared } from "#test/app.ts"
import { useAwsOf } from "#test/core-env.ts"
import { paginate, type Request } from "./page.ts"

useAwsOf(shared())

/** A list of numbers, as if it lay in the table. */
const pageOf = (numbers: number[], account: string, list: string, request: Request) =>
  paginate(
    account,
    list,
    request,
    async (after, count) => numbers.filter((n) => after === undefined || n > Number(after)).slice(0, count),
    String,
  )

const numbers = fc.uniqueArray(fc.nat(1_000), { maxLength: 30 }).map((list) => list.toSorted((a, b) => a - b))
const limit = fc.integer({ min: 1, max: 10 })
const name = fc.string({ unit: "grapheme", maxLength: 12 })

describe("a list in pages", () => {
  test("is the list, whatever the sizes of its pages", async () => {
    await fc.assert(
      fc.asyncProperty(numbers, fc.array(limit, { minLength: 30, maxLength: 30 }), async (list, limits) => {
        const read: number[] = []
        let cursor: string | undefined
        for (const size of limits) {
          const { data, pageInfo } = await pageOf(list, "acc_1", "things", { limit: size, cursor })
          read.push(...data)
          expect(data.length).toBeLessThanOrEqual(size)
          expect(pageInfo.hasMore).toBe(pageInfo.nextCursor !== null)
          expect(pageInfo.hasMore).toBe(read.length < list.length)
          cursor = pageInfo.nextCursor ?? undefined
          if (!cursor) break
        }
        expect(read).toEqual(list)
      }),
    )
  })

  test("keeps its place when something comes before it, and when the item that it stands on goes", async () => {
    const first = await pageOf([10, 20, 30, 40], "acc_1", "things", { limit: 2 })
    const second = await pageOf([5, 10, 30, 35, 40], "acc_1", "things", { limit: 10, cursor: first.pageInfo.nextCursor! })
    expect(second.data).toEqual([30, 35, 40])
  })

  test("has twenty on a page where nothing was said", async () => {
    const list = Array.from({ length: 21 }, (_, i) => i)
    const { data, pageInfo } = await pageOf(list, "acc_1", "things", {})
    expect([data.length, pageInfo.hasMore]).toEqual([20, true])
  })
})

describe("a cursor", () => {
  const refused = { code: "invalid_request", extra: { issues: [{ path: "cursor", message: expect.any(String) }] } }
  const cursorOf = async (account: string, list: string) =>
    (await pageOf([1, 2], account, list, { limit: 1 })).pageInfo.nextCursor!

  test("of another account or another list is always refused", async () => {
    await fc.assert(
      fc.asyncProperty(name, name, name, name, async (account, list, otherAccount, otherList) => {
        fc.pre(`${account} ${list}` !== `${otherAccount} ${otherList}`)
        const cursor = await cursorOf(account, list)
        await expect(pageOf([1, 2], otherAccount, otherList, { cursor })).rejects.toMatchObject(refused)
      }),
    )
  })

  test("that was touched never leads elsewhere", async () => {
    const cursor = await cursorOf("acc_1", "things")
    const characters = fc.constantFrom(..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=")
    await fc.assert(
      fc.asyncProperty(fc.nat(cursor.length - 1), characters, async (at, character) => {
        const touched = cursor.slice(0, at) + character + cursor.slice(at + 1)
        const asked: (string | undefined)[] = []
        const fetch = async (after: string | undefined) => {
          asked.push(after)
          return []
        }
        await paginate("acc_1", "things", { cursor: touched }, fetch, String).catch((error: unknown) => {
          expect(error).toMatchObject(refused)
        })
        expect(asked.filter((after) => after !== "1")).toEqual([])
      }),
    )
  })

  test("that is any text is refused", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string(), async (cursor) => {
        await expect(pageOf([1, 2], "acc_1", "things", { cursor })).rejects.toMatchObject(refused)
      }),
    )
  })
})
