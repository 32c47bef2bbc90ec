/** Money is kept in whole millionths of a US dollar, so that sums are exact, and shown in dollars. */

export const usd = (micros: number) => micros / 1_000_000

/** Rounds to the nearest millionth. */
export const micros = (dollars: number) => Math.round(dollars * 1_000_000)
