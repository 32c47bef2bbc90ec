/** What to say of a word that is not known: the one that was meant, or else all that there are. */
export function hint(wanted: string, known: readonly string[], show: (word: string) => string = (word) => word): string {
  const nearest = nearestTo(wanted, known)
  return nearest === undefined ? `known are ${known.map(show).join(", ")}` : `did you mean ${show(nearest)}?`
}

/** The known word that a word was meant for, if it begins like one or has a slip in one place. */
export function nearestTo(wanted: string, known: readonly string[]): string | undefined {
  const [nearest] = known.toSorted((a, b) => alike(b, wanted) - alike(a, wanted))
  if (nearest === undefined) return undefined
  return sameStart(nearest, wanted) > 3 || alike(nearest, wanted) >= Math.max(3, nearest.length - 2) ? nearest : undefined
}

/** How many letters are the same from the beginning and from the end. */
function alike(a: string, b: string): number {
  const start = sameStart(a, b)
  const rest = (word: string) => [...word.slice(start)].toReversed().join("")
  return start + sameStart(rest(a), rest(b))
}

function sameStart(one: string, other: string): number {
  const [a, b] = [one.toLowerCase(), other.toLowerCase()]
  let length = 0
  while (length < a.length && a[length] === b[length]) length++
  return length
}
