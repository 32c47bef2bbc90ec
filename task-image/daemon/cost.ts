/**
 * What the models have cost in this run, in US dollars. Told after every answer with which the agent works on, since nobody could tell
 * it of a container that is lost; all of it is told again at the end of the turn, so one that does not arrive is left.
 */
export const createCost = (tell: (costUsd: number) => Promise<unknown>) => {
  let [before, ofTurn] = [0, 0]
  let telling: Promise<unknown> | undefined
  let isNew = false

  const tellAll = async () => {
    while (isNew) {
      isNew = false
      await tell(before + ofTurn).catch(() => undefined)
    }
    telling = undefined
  }
  const count = (costUsd: number | undefined) => {
    if (Number.isFinite(costUsd)) ofTurn = costUsd!
  }
  return {
    /** The turn has cost so much so far. */
    soFar: (costUsd: number) => {
      count(costUsd)
      isNew = true
      telling ??= tellAll()
    },
    /** The turn is over. An agent that was killed did not say what it came to: then it is what was said last. */
    endTurn: (costUsd: number | undefined) => {
      count(costUsd)
      before += ofTurn
      ofTurn = 0
    },
    /** All of it, when nothing is on its way any more that would say less. */
    total: async () => {
      await telling
      return before + ofTurn
    },
  }
}

export type Cost = ReturnType<typeof createCost>
