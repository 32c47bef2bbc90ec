const units: Record<string, number> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 }

/** Milliseconds between two runs of `rate(5 minutes)`. Throws for anything that is not a rate that EventBridge takes. */
export const rateMilliseconds = (expression: string): number => {
  const [, count, unit = "", plural] = /^rate\(([1-9]\d*) (minute|hour|day)(s?)\)$/.exec(expression) ?? []
  const each = units[unit]
  if (!each || (plural === "s") === (count === "1")) {
    throw new Error(`${expression} is not a schedule that runs here. A rate is written rate(1 hour) or rate(5 minutes).`)
  }
  return Number(count) * each
}
