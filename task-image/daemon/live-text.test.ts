import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { z } from "zod"
import { after } from "../../core/clock.ts"
import { deltaCharacters, type SaidSoFar } from "../../core/protocol.ts"
import { moveTime } from "../../test/time.ts"
import { createLiveText } from "./live-text.ts"

let time: ReturnType<typeof moveTime>
beforeAll(() => {
  time = moveTime()
})
afterAll(() => time.release())

/** So much time goes by, and whatever was due by then is done. */
const pass = async (ms: number) => {
  const over = new Promise<void>((resolve) => after(ms, resolve))
  time.advance(ms)
  await over
}

/** Puts that a test ends one by one. */
const puts = () => {
  const said: string[] = []
  type Answer = z.infer<typeof SaidSoFar>
  const ends: ((answer: Answer | Error) => void)[] = []
  const put = (text: string) => {
    said.push(text)
    return new Promise<Answer>((resolve, reject) =>
      ends.push((answer) => (answer instanceof Error ? reject(answer) : resolve(answer))),
    )
  }
  /** Ends the oldest put that is under way. */
  const end = async (answer: Answer | Error = { accepted: true, is_followed: true }) => {
    ends.shift()?.(answer)
    await new Promise(setImmediate)
  }
  return { said, put, end }
}

describe("live text", () => {
  test("is put at the first word, then all of it once a second, and only where there is more", async () => {
    const { said, put, end } = puts()
    const live = createLiveText(put)
    live.add("Snow")
    live.add(" is")
    expect(said).toEqual(["Snow"])
    await end()
    live.add(" cold")
    await pass(500)
    expect(said).toEqual(["Snow"])
    await pass(500)
    expect(said).toEqual(["Snow", "Snow is cold"])
    await end()
    await pass(5000)
    expect(said).toHaveLength(2)
    live.add(".")
    expect(said).toEqual(["Snow", "Snow is cold", "Snow is cold."])
  })

  test("is put every fifteen seconds while nobody follows, and once a second again as soon as somebody does", async () => {
    const { said, put, end } = puts()
    const live = createLiveText(put)
    live.add("a")
    await end({ accepted: true, is_followed: false })
    live.add("b")
    await pass(14_000)
    expect(said).toEqual(["a"])
    await pass(1000)
    expect(said).toEqual(["a", "ab"])
    await end()
    live.add("c")
    await pass(1000)
    expect(said).toEqual(["a", "ab", "abc"])
  })

  test("is put once a second where it is not said whether somebody follows", async () => {
    const { said, put, end } = puts()
    const live = createLiveText(put)
    live.add("a")
    await end({ accepted: true })
    live.add("b")
    await pass(1000)
    expect(said).toEqual(["a", "ab"])
  })

  test("is never put twice at a time, and goes on after a put that failed", async () => {
    const { said, put, end } = puts()
    const live = createLiveText(put)
    live.add("a")
    await pass(60_000)
    live.add("b")
    expect(said).toEqual(["a"])
    await end(new Error("The network is gone"))
    await pass(1000)
    expect(said).toEqual(["a", "ab"])
  })

  test("has a paragraph where the agent did something in between, and loses the beginning where it is too long", async () => {
    const { said, put, end } = puts()
    const live = createLiveText(put)
    live.pause()
    live.add("One.")
    live.pause()
    live.pause()
    live.add(`Two.${"😀".repeat(deltaCharacters / 2)}x`)
    await end()
    await pass(1000)
    expect(said[0]).toBe("One.")
    expect(said[1]!.length).toBe(deltaCharacters - 1)
    expect(said[1]!.isWellFormed()).toBe(true)
  })

  test("does not hold up the end of a turn where a put is never answered", async () => {
    const live = createLiveText(() => new Promise(() => undefined))
    live.add("a")
    const closed = live.close()
    await pass(1000)
    await closed
  })

  test("is left as it stands when the turn ends, once nothing is on its way", async () => {
    const { said, put, end } = puts()
    const live = createLiveText(put)
    live.add("a")
    live.add("b")
    const closed = live.close()
    await end()
    await closed
    await pass(10_000)
    expect(said).toEqual(["a"])
  })
})
