import { expect, test } from "vitest"
import { each } from "./sweep.ts"

test("one that fails stops none of those behind it, and is told of at the end", async () => {
  const done: number[] = []
  const numbers = Array.from({ length: 25 }, (_, i) => i + 1)
  const work = numbers.map((number) => async () => {
    if (number % 10 === 0) throw new Error(`${number} cannot be mended`)
    done.push(number)
  })
  const failure = await each(work).catch((error: unknown) => error)
  expect(done).toEqual(numbers.filter((number) => number % 10 !== 0))
  expect(failure).toBeInstanceOf(AggregateError)
  expect(failure).toMatchObject({
    message: "2 of 25 could not be done",
    errors: [new Error("10 cannot be mended"), new Error("20 cannot be mended")],
  })
})
