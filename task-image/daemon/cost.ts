/**
 * What the models have cost in this run, in US dollars. Told after every answer, since nobody could tell it of a container that is lost.
 * What does not arrive is left: at the end of the turn all is told that was not.
 */
export const createCost = (tell: (costUsd: number) => Promise<unknown>) => {
  let [before, ofTurn, told] = [0, 0, 0]
  let telling: Promise<void> | undefined

  // A sum of fractions may differ by a hair from what it was; the API keeps whole millionths.
  const untold = () => (Math.round((before + ofTurn - told) * 1_000_000) === 0 ? undefined : before + ofTurn)
  const tellAll = async () => {
    let costUsd = untold()
    while (costUsd !== undefined) {
      const isTold = await tell(costUsd).then(
        () => true,
        () => false,
      )
      if (!isTold) break
      told = costUsd
      costUsd = untold()
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
      telling ??= tellAll()
    },
    /** The turn is over. An agent that was killed did not say what it came to: then it is what was said last. */
    endTurn: (costUsd: number | undefined) => {
      count(costUsd)
      before += ofTurn
      ofTurn = 0
    },
    /** All of it, where that was not told yet, once nothing is on its way any more that would say less. */
    untold: async () => {
      await telling
      return untold()
    },
  }
}

export type Cost = ReturnType<typeof createCost>
