import { millis } from "../../core/clock.ts"
import { mostCostUsd as mostUsd, usagePauseSeconds } from "../../core/protocol.ts"

/**
 * What the models have cost in this run, in US dollars. Told after an answer, the first and from then on every two minutes at most, since
 * nobody could tell it of a container that is lost. What does not arrive is left: at the end of the turn all is told that was not.
 */
export const createCost = (tell: (costUsd: number) => Promise<unknown>) => {
  let [before, ofTurn, told] = [0, 0, 0]
  let isOpen = false
  let telling: Promise<void> | undefined
  let toldAt = Number.NEGATIVE_INFINITY

  // A sum of fractions may differ by a hair from what it was; the API keeps whole millionths.
  const untold = () => (Math.round((before + ofTurn - told) * 1_000_000) === 0 ? undefined : before + ofTurn)
  const tellNow = async () => {
    const costUsd = untold()!
    const isTold = await tell(costUsd).then(
      () => true,
      () => false,
    )
    if (isTold) told = costUsd
  }
  /** The agent's program may say anything: what the API would refuse is not believed. */
  const count = (costUsd: number | undefined) => {
    if (costUsd !== undefined && costUsd >= 0 && before + costUsd <= mostUsd) ofTurn = costUsd
  }
  return {
    startTurn: () => {
      isOpen = true
    },
    /** The turn has cost so much so far. Between turns nothing is listened to. */
    soFar: (costUsd: number) => {
      if (!isOpen) return
      count(costUsd)
      if (telling || untold() === undefined || millis() - toldAt < usagePauseSeconds * 1000) return
      toldAt = millis()
      telling = tellNow().finally(() => {
        telling = undefined
      })
    },
    /** The turn is over. An agent that was killed did not say what it came to: then it is what was said last. */
    endTurn: (costUsd: number | undefined) => {
      count(costUsd)
      before += ofTurn
      ofTurn = 0
      isOpen = false
    },
    /** All of it, where that was not told yet, once nothing is on its way any more that would say less. */
    untold: async () => {
      await telling
      return untold()
    },
  }
}

export type Cost = ReturnType<typeof createCost>
