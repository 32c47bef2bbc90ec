import { afterAll, describe, expect, test, vi } from "vitest"
import { moveTime } from "#test/time.ts"
import { after, every, millis, now, sleep } from "./clock.ts"

const time = moveTime()
afterAll(() => time.release())

const hour = 3_600_000

describe("the clock", () => {
  test("shows the machine's time, and what a test adds to it", () => {
    const before = millis()
    expect(Math.abs(before - Date.now())).toBeLessThan(1000)
    time.advance(hour)
    expect(millis() - before).toBeGreaterThanOrEqual(hour)
    expect(now().getTime()).toBeGreaterThanOrEqual(before + hour)
  })

  test("calls back once, when its time has come and not before", async () => {
    const called = vi.fn()
    after(2 * hour, called)
    time.advance(hour)
    await sleep(0)
    expect(called).not.toHaveBeenCalled()
    time.advance(hour)
    await expect.poll(() => called.mock.calls.length).toBe(1)
  })

  test("calls nobody back who has been cancelled", async () => {
    const called = vi.fn()
    after(hour, called)()
    time.advance(2 * hour)
    await sleep(0)
    expect(called).not.toHaveBeenCalled()
  })

  test("calls back again and again until told to stop", async () => {
    let calls = 0
    const stop = every(hour, () => calls++)
    for (const turn of [1, 2, 3]) {
      time.advance(hour)
      await expect.poll(() => calls).toBe(turn)
    }
    stop()
    time.advance(10 * hour)
    await sleep(0)
    expect(calls).toBe(3)
  })

  test("sleeps for hours in no time, and wakes at once when it is told to", async () => {
    const slept = sleep(5 * hour)
    time.advance(5 * hour)
    await slept
    const aborted = new AbortController()
    const sleeping = sleep(hour, aborted.signal)
    aborted.abort()
    await sleeping
    await sleep(hour, aborted.signal)
    expect(aborted.signal.aborted).toBe(true)
  })
})
