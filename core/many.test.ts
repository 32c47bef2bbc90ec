import { setImmediate } from "node:timers/promises"
import { describe, expect, test } from "vitest"
import * as Many from "./many.ts"

/** A table that answers two of the keys that a call names, and has no time for the others. */
const slowTable = () => {
  const calls: number[] = []
  const ask = async (keys: { id: string }[]) => {
    calls.push(keys.length)
    return { data: keys.slice(0, 2).filter(({ id }) => id !== "gone"), unprocessed: keys.slice(2) }
  }
  return { calls, ask }
}

const keysOf = (...ids: string[]) => ids.map((id) => ({ id }))

test("what a call leaves out is asked for again, each key once, and what is not there is left out", async () => {
  const { calls, ask } = slowTable()
  expect(await Many.rows(keysOf("a", "b", "a", "gone", "c", "b"), ask)).toEqual(keysOf("a", "b", "c"))
  expect(calls).toEqual([4, 2])
})

test("nothing is asked where there is nothing to ask for", async () => {
  const { calls, ask } = slowTable()
  expect([await Many.rows([], ask), calls]).toEqual([[], []])
})

test("a table that never has time is an error, not an answer that lacks something", async () => {
  const never = async (keys: { id: string }[]) => ({ data: [], unprocessed: keys })
  await expect(Many.rows(keysOf("a"), never)).rejects.toThrow("DynamoDB had no time for 1 reads")
})

describe("calls that are made together", () => {
  /** A call that doubles numbers, and refuses odd ones. What it was given is written down. */
  const doubling = (most: number) => {
    const calls: number[][] = []
    const double = Many.together({ most, patienceMs: 60_000 }, async (numbers: number[]) => {
      calls.push(numbers)
      if (numbers.includes(0)) throw new Error("There is no double of nothing")
      return numbers.map((n) =>
        n % 2 ? { status: "rejected", reason: new Error(`${n} is odd`) } : { status: "fulfilled", value: 2 * n },
      )
    })
    return { calls, double }
  }

  test("in the same moment are one, and each has its own answer", async () => {
    const { calls, double } = doubling(10)
    const [two, three, four] = await Promise.allSettled([double(2), double(3), double(4)])
    expect(calls).toEqual([[2, 3, 4]])
    expect([two, three, four]).toEqual([
      { status: "fulfilled", value: 4 },
      { status: "rejected", reason: new Error("3 is odd") },
      { status: "fulfilled", value: 8 },
    ])
  })

  test("while one is under way wait for it, and are as many as may be", async () => {
    const { calls, double } = doubling(2)
    const first = double(2).then(() => Promise.all([double(4), double(6), double(8)]))
    expect(await first).toEqual([8, 12, 16])
    expect(calls).toEqual([[2], [4, 6], [8]])
  })

  test("fail all where the call fails, and the next one works", async () => {
    const { double } = doubling(10)
    const failed = await Promise.allSettled([double(0), double(2)])
    expect(failed.map(({ status }) => status)).toEqual(["rejected", "rejected"])
    expect(await double(2)).toBe(4)
  })

  test("fail where an answer is missing, and do not wait for ever", async () => {
    const silent = Many.together<number, number>({ most: 10, patienceMs: 60_000 }, async () => [])
    await expect(silent(1)).rejects.toThrow("There is no answer to it")
  })

  test("fail where a call never answers, and what comes after that has a call of its own", async () => {
    let calls = 0
    const stuckOnce = Many.together({ most: 10, patienceMs: 20 }, async (numbers: number[]) => {
      if (++calls === 1) await new Promise(() => undefined)
      return numbers.map((value) => ({ status: "fulfilled" as const, value }))
    })
    const first = stuckOnce(1)
    await setImmediate()
    const second = stuckOnce(2)
    await expect(first).rejects.toThrow("There was no answer within 20 milliseconds")
    expect(await second).toBe(2)
  })
})
