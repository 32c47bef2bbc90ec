import { constants, openSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as z from "zod"
import type { Bundle, Turn } from "./api.ts"

/**
 * What the agent has been told already, kept in the same checkpoint as its memory: the two are of the same moment, so that after a
 * container was lost nothing is said to it twice, and nothing never.
 */
const Told = z.object({
  /** The latest turn that it began. */
  turn: z.int(),
  /** The latest message that it was given, by its sequence. */
  after: z.int(),
  /** The latest sleep that it was woken from. */
  cycle: z.int(),
})

export type Told = z.infer<typeof Told>

export const nothingTold: Told = { turn: 0, after: 0, cycle: 0 }

const file = "told.json"

/** Whatever came out of a checkpoint is not to be trusted: no link is followed, and what cannot be read was never said. */
export const readTold = (folder: string): Told => {
  try {
    const opened = openSync(join(folder, file), constants.O_RDONLY | constants.O_NOFOLLOW)
    return Told.parse(JSON.parse(readFileSync(opened, "utf8")))
  } catch {
    return nothingTold
  }
}

/** The folder of that, as it is to be kept. */
export const toldFolder = (told: Told) => ({ [file]: JSON.stringify(told) })

/** What is known once a turn was begun. */
export const toldBy = (before: Told, turn: Turn, wake: Bundle["wake"]): Told => ({
  turn: turn.number,
  after: Math.max(before.after, ...turn.messages.map(({ sequence }) => sequence)),
  cycle: Math.max(before.cycle, wake?.cycle ?? 0),
})
