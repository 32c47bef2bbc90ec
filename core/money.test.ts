import fc from "fast-check"
import { expect, test } from "vitest"
import { costOf } from "./billing.ts"
import { micros, usd } from "./money.ts"

test("an amount in millionths survives being shown", () => {
  fc.assert(fc.property(fc.integer({ min: -1e12, max: 1e12 }), (amount) => micros(usd(amount)) === amount))
})

test("dollars are rounded to the nearest millionth", () => {
  expect([micros(0.1 + 0.2), micros(0.0000004), micros(0.0000005), micros(1e6)]).toEqual([300_000, 0, 1, 1e12])
})

test("container time costs five cents a minute, by the second", () => {
  expect([0, 1, 60, 720, 86_400].map((seconds) => usd(costOf(seconds)))).toEqual([0, 0.000833, 0.05, 0.6, 72])
})

test("more time never costs less, and an hour in parts differs by no more than the rounding of each", () => {
  fc.assert(
    fc.property(fc.nat(100_000), fc.nat(100_000), (a, b) => {
      expect(costOf(a + b)).toBeGreaterThanOrEqual(costOf(a))
      expect(Math.abs(costOf(a + b) - costOf(a) - costOf(b))).toBeLessThanOrEqual(1)
    }),
  )
})
