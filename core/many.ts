import { setImmediate } from "node:timers/promises"
import { after, sleep } from "./clock.ts"

/** What one call has found, and the keys that DynamoDB had no time for. */
interface Found<Key, Row> {
  data: Row[]
  unprocessed: Key[]
}

const tries = 6

/** The rows under these keys that are there, each once, however often its key is given. What a call leaves out is asked for again. */
export async function rows<Key extends object, Row>(
  keys: readonly Key[],
  ask: (keys: Key[]) => Promise<Found<Key, Row>>,
): Promise<Row[]> {
  const found: Row[] = []
  let left = [...new Map(keys.map((key) => [JSON.stringify(key), key])).values()]
  for (let attempt = 1; left.length; attempt++) {
    const { data, unprocessed } = await ask(left)
    found.push(...data)
    left = unprocessed
    if (left.length && attempt === tries) throw new Error(`DynamoDB had no time for ${left.length} reads`)
    if (left.length) await sleep(10 * 2 ** attempt * (0.5 + Math.random()))
  }
  return found
}

/**
 * Makes of a call that does many things at once one that does one: what is asked for in the same moment, or while a call is under way,
 * goes with the next, at most so many together. `call` answers how each has gone, in the order of what it was given; where it throws, or
 * answers nothing for so many milliseconds, all have failed, and the next call is made.
 */
export function together<Item, Result>(
  { most, patienceMs }: { most: number; patienceMs: number },
  call: (items: Item[]) => Promise<PromiseSettledResult<Result>[]>,
) {
  const waiting: { item: Item; fulfil: (result: Result) => void; reject: (reason: unknown) => void }[] = []
  let isBusy = false

  async function work() {
    isBusy = true
    await setImmediate()
    while (waiting.length) {
      const some = waiting.splice(0, most)
      const answers = call(some.map(({ item }) => item))
      const settled = await within(patienceMs, answers).catch((reason: unknown) => some.map(() => failed(reason)))
      for (const [i, { fulfil, reject }] of some.entries()) {
        const one = settled[i] ?? failed(new Error("There is no answer to it"))
        if (one.status === "fulfilled") fulfil(one.value)
        else reject(one.reason)
      }
    }
    isBusy = false
  }

  return (item: Item) =>
    new Promise<Result>((fulfil, reject) => {
      waiting.push({ item, fulfil, reject })
      if (!isBusy) void work()
    })
}

const failed = (reason: unknown) => ({ status: "rejected" as const, reason })

/** What a promise comes to, unless that takes longer. */
async function within<Result>(ms: number, promise: Promise<Result>): Promise<Result> {
  let cancel: () => void = () => undefined
  const late = new Promise<never>((_, reject) => {
    cancel = after(ms, () => reject(new Error(`There was no answer within ${ms} milliseconds`)))
  })
  return Promise.race([promise, late]).finally(cancel)
}
