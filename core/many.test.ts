import { expect, test } from "vitest"
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
