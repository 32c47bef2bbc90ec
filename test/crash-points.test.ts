import { afterAll, beforeAll, expect, test } from "vitest"
import { type Lab, type Lived, nameOf, openLab, type Point, survey, tryPoints } from "./crash-points/lab.ts"

// Every transition is lived once and its calls to AWS are noted. Then it is lived again for each call and each way in which that can
// fail, and AWS does what it does after a failure. `npm run crash-points` does it all; see docs/reliability.md.

let lab: Lab
let normal: Map<string, Lived>
let points: Point[]

beforeAll(async () => {
  lab = await openLab()
  ;({ normal, points } = await survey(lab))
}, 120_000)

afterAll(() => lab?.close())

/** Every so many points are tried, other ones each day. */
const every = 50

const daily = () => {
  const today = Math.floor(performance.timeOrigin / 86_400_000) % every
  return points.filter((_, i) => i % every === today)
}

/** Whether the first start of a container that does not listen could never say which one it is. */
const isNameless = ({ scenario, fault: { mode, operation, transition } }: Point) =>
  scenario.includes("does not listen") &&
  transition === "run 1" &&
  operation === "UpdateItem" &&
  (mode === "throttled" || mode === "timeout without effect")

/** Where something went wrong once, or easily may: two starts at a time, containers that nobody knows how to stop, a late token. */
const hasBroken = ({ scenario, fault }: Point) =>
  isNameless({ scenario, fault }) ||
  (fault.mode === "stale read" && fault.transition === "sweep" && fault.index === 0) ||
  (fault.mode === "delivered twice" && fault.transition === "run 2" && fault.operation === "GetItem" && fault.index % 2 === 1) ||
  (fault.mode === "throttled" && fault.operation === "StopTask") ||
  (fault.mode === "stale read" && fault.transition === "park 1") ||
  (fault.mode === "crash after" && fault.operation === "RunTask" && scenario.includes("does not listen"))

const tried = async (some: Point[]) =>
  [...(await tryPoints(lab, some, normal))].map(([point, wrong]) => `${nameOf(point)}: ${wrong.join("; ")}`)

test("without a fault every life goes as it should", () => {
  const wrong = [...normal].filter((lived) => lived[1].wrong.length > 0)
  expect(wrong.map(([name, lived]) => [name, lived.wrong])).toEqual([])
})

test("there is every kind of transition among them", () => {
  expect(points.length).toBeGreaterThan(2_000)
  expect(new Set(points.map(({ fault }) => fault.transition)).size).toBeGreaterThan(35)
})

test(`a sample, one in ${every}: whatever fails once, nothing is lost, doubled or stuck`, { timeout: 300_000 }, async () => {
  expect(await tried(daily())).toEqual([])
})

test("what has broken once does not break again", { timeout: 300_000 }, async () => {
  expect(points.filter(hasBroken).length).toBeGreaterThan(10)
  expect(await tried(points.filter(hasBroken))).toEqual([])
})
