/** Chance that can be repeated: the same seed gives the same numbers in the same order. */
export const randomOf = (seed: number) => {
  let state = seed >>> 0
  /** From 0 up to, and without, 1: the generator called mulberry32. */
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  /** A whole number from 0 up to, and without, `end`. */
  const below = (end: number) => Math.floor(next() * end)
  return {
    below,
    chance: (probability: number) => next() < probability,
    pick: <Item>(items: readonly Item[]): Item => items[below(items.length)]!,
  }
}

export type Random = ReturnType<typeof randomOf>
