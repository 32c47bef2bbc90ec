import { isTerminal } from "#core/lifecycle.ts"
import type { Request } from "#test/world/requests.ts"
import { openWorld } from "#test/world/world.ts"
import { type Call, canHappen, type Fault, intercept, invoke, modes } from "./fault.ts"
import { newHome } from "./home.ts"
import { brokenBy, evidenceOf, typesOf } from "./invariants.ts"
import { Life } from "./life.ts"
import { scenarios } from "./scenarios.ts"

/** A world in which lives can be lived with one fault each. */

export interface Lived {
  calls: Call[]
  /** The events of the task. */
  types: string[]
  /** What was wrong with it. */
  wrong: string[]
  /** Whether it came to the call that was to fail. */
  isReached: boolean
}

/** A fault in a scenario. */
export interface Point {
  scenario: string
  fault: Fault
}

// biome-ignore lint/suspicious/noExplicitAny: events are read as they come.
type Event = any

const isScheduled = (name: string, event: Event) => name === "sweep" && event["detail-type"] === "Scheduled Event"

/** The name of a transition that AWS has called for. Tries of one entry of a state are the same transition, the next entry is another one. */
const transitionOf = (life: Life, name: string, event: Event): string | undefined => {
  if (life.taskId === undefined || !JSON.stringify(event).includes(life.taskId)) return undefined
  if (name === "run" || name === "park") return `${name} ${life.numberOf(name, event.entry)}`
  if (name !== "publish") return name === "sweep" ? "execution ended badly" : name
  return `publish ${recordOf(event.Records[0].dynamodb.NewImage)}`
}

/** What is done for an event depends on whether it is the first of its task, or the last. */
const recordOf = ({ type, as }: Event) => {
  if (as) return `signal ${as.S}`
  if (!type) return "credit"
  return type.S === "task.created" ? type.S : isTerminal(type.S.slice(5)) ? "end" : "event"
}

/** A sweep that finds nothing of this life is none of it: the first one at which something can go wrong is the one that has to mend. */
const sweep = async (life: Life, work: () => Promise<unknown>) => {
  if (life.isSwept && (await life.isDue())) await invoke(life, "sweep", work)
}

/** After so many lives on an account they go on with another one: its ledger is read after each. */
const livesOfHome = 25

export const openLab = async () => {
  const world = await openWorld()
  let home = await newHome(world)
  let lives = 0
  let life: Life | undefined

  world.between.request = async (request, send) => {
    const reply = await intercept(request, send)
    if (life?.taskId !== undefined && changes(request)) life.watch(await life.row())
    return reply
  }
  world.between.invocation = (name, event, work) => {
    if (life && isScheduled(name, event)) return sweep(life, work)
    const transition = life && transitionOf(life, name, event)
    if (!life || transition === undefined) return work()
    if (transition === life.unheard) return Promise.resolve({ batchItemFailures: [] })
    return invoke(life, transition, work)
  }

  const outcome = async (scenario: string, fault: Fault | undefined, expected: string[] | undefined): Promise<Lived> => {
    const own = new Life(world, home, fault)
    life = own
    const { live, status, removal } = scenarios[scenario]!
    await live(own)
    const { status: end } = await own.end()
    const evidence = await evidenceOf(own)
    const types = typesOf(evidence)
    const left = removal ? await remove(own, removal) : []
    const isFree = fault?.mode === "stale read"
    const wrong = [
      ...brokenBy(evidence),
      ...left,
      // What a sweep has to do depends on when it comes.
      ...(fault && own.faulted === undefined && fault.transition !== "sweep" ? ["the call was never made"] : []),
      ...(isFree || end === status ? [] : [`it is ${end}, not ${status}`]),
      ...(isFree || !expected || `${types}` === `${expected}` ? [] : [`it lived ${types}`]),
    ]
    return { calls: own.calls, types, wrong, isReached: own.faulted !== undefined }
  }

  const remove = async (own: Life, removal: (life: Life) => Promise<unknown>) => {
    await removal(own)
    await world.time.pass(20 * 60_000)
    const stored = await world.items(`${home.accountId}#${own.taskId}`)
    // The sign of the removal stays for a day, for whoever is still to be told of the task.
    const left = stored.map(({ sk }) => sk).filter((sk) => sk !== "removal")
    return left.length ? [`${left} is left of it`] : []
  }

  return {
    /** Lives a scenario, with a fault or without. What goes wrong is part of the answer. */
    live: async (scenario: string, fault?: Fault, expected?: string[]): Promise<Lived> => {
      if (lives++ % livesOfHome === livesOfHome - 1) home = await newHome(world)
      world.told.length = 0
      try {
        return await outcome(scenario, fault, expected)
      } catch (error) {
        return { calls: [], types: [], wrong: [String((error as Error).stack)], isReached: true }
      } finally {
        const lived = life
        life = undefined
        // Nothing of it comes into the next one.
        await lived?.tidy()
      }
    },
    close: world.close,
  }
}

export type Lab = Awaited<ReturnType<typeof openLab>>

const changes = ({ headers }: Request) => /\.(TransactWriteItems|UpdateItem)$/.test(headers["x-amz-target"] ?? "")

/** Every fault of every call of a transition that was not seen in an earlier scenario. */
const pointsOf = (scenario: string, calls: Call[], seen: Set<string>): Point[] => {
  const names = [...new Set(calls.map(({ transition }) => transition))]
  return names.flatMap((name) => {
    const all = calls.filter(({ transition }) => transition === name)
    // What is called again, as the sweeper is, fails once.
    const own = all.filter(({ index }, i) => all.findIndex((call) => call.index === index) === i)
    const signature = [name.replace(/ \d+$/, ""), ...own.map(({ operation }) => operation)].join()
    if (seen.has(signature)) return []
    seen.add(signature)
    return own.flatMap((call) =>
      modes.filter((mode) => canHappen(mode, call)).map((mode) => ({ scenario, fault: { ...call, mode } })),
    )
  })
}

/** What is found in one sweep and what in the next is up to chance: so many more lives that are swept are asked for their calls. */
const moreLives = 9

const moreCalls = async (lab: Lab, scenario: string, { calls }: Lived) => {
  const found = [...calls]
  if (calls.some(({ transition }) => transition === "sweep"))
    for (let i = 0; i < moreLives; i++) found.push(...(await lab.live(scenario)).calls)
  return found
}

/** Lives every scenario once without a fault. Answers how, and every point at which it could have failed. */
export const survey = async (lab: Lab) => {
  // What is fetched once a process is fetched by the first life.
  await lab.live(Object.keys(scenarios)[0]!)
  const normal = new Map<string, Lived>()
  const seen = new Set<string>()
  const points: Point[] = []
  for (const name of Object.keys(scenarios)) {
    const lived = await lab.live(name)
    normal.set(name, lived)
    points.push(...pointsOf(name, await moreCalls(lab, name, lived), seen))
  }
  return { normal, points }
}

/** Lives through a point. Where the sweep had nothing to do that would make the call, it is lived again. */
export async function tryPoint(lab: Lab, { scenario, fault }: Point, normal: Map<string, Lived>): Promise<Lived> {
  const { types } = normal.get(scenario)!
  let lived = await lab.live(scenario, fault, types)
  for (let i = 0; i < moreLives && !lived.isReached && lived.wrong.length === 0; i++)
    lived = await lab.live(scenario, fault, types)
  return lived
}

/** Lives through the points. Answers what was wrong, point by point. */
export const tryPoints = async (lab: Lab, points: Point[], normal: Map<string, Lived>) => {
  const broken = new Map<Point, string[]>()
  for (const point of points) {
    const { wrong } = await tryPoint(lab, point, normal)
    if (wrong.length) broken.set(point, wrong)
  }
  return broken
}

export const nameOf = ({ scenario, fault }: Point) =>
  `${scenario}: ${fault.mode} at call ${fault.index} (${fault.operation}) of ${fault.transition}`
