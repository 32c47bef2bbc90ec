import type { Chain } from "./chain.ts"

/** A chain is written anew when it has so many segments … */
const segmentsMax = 64
/** … or when so much of its packs is used no more, and there is enough of it to be worth the trouble. */
const deadShareMax = 0.2
const deadBytesMin = 1024 ** 2

/** What is left of a pack for it to be kept when the chain is written anew. Small packs go into a common one. */
const packDeadShareMax = 0.1
const smallPackBytes = 512 * 1024

/**
 * The packs to be given up by the next checkpoint, whose segment then says everything; undefined when it is not time. What is still
 * used of them is in the workspace, and goes into new packs from there.
 */
export const packsToRetire = ({ segments, packs, tree }: Chain): Set<string> | undefined => {
  const live = liveBytes({ tree })
  let [total, used] = [0, 0]
  for (const [name, { bytes }] of packs) {
    total += bytes
    used += live.get(name) ?? 0
  }
  const dead = total - used
  const isTime = segments.length >= segmentsMax || (dead >= deadBytesMin && dead > used * deadShareMax)
  if (!isTime) return undefined
  const retired = [...packs].filter(
    ([name, { bytes }]) => bytes < smallPackBytes || bytes - (live.get(name) ?? 0) > bytes * packDeadShareMax,
  )
  return new Set(retired.map(([name]) => name))
}

/** Bytes of each pack that a file is made of. What several files share counts once. */
export const liveBytes = ({ tree }: Pick<Chain, "tree">): Map<string, number> => {
  const live = new Map<string, number>()
  const seen = new Map<string, Set<number>>()
  for (const entry of tree.values()) {
    if (entry.kind !== "file") continue
    for (const { pack, offset, length } of entry.chunks) {
      const offsets = seen.get(pack) ?? new Set()
      seen.set(pack, offsets)
      if (offsets.has(offset)) continue
      offsets.add(offset)
      live.set(pack, (live.get(pack) ?? 0) + length)
    }
  }
  return live
}
