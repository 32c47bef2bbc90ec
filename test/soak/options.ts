import { parseArgs } from "node:util"

/** The command line of `npm run soak`. */
export interface Options {
  tasks: number
  concurrency: number
  seed: number
  /** Nothing is killed. */
  calm: boolean
  isolation: "auto" | "bubblewrap" | "none"
  keep: boolean
}

export const usage = `Usage: npm run soak -- [options]

  --tasks N         how many tasks are dispatched (100)
  --concurrency N   how many are under way at once (8)
  --seed N          replays the schedule of an earlier soak; a new one is made, and printed, without it
  --calm            kill nothing
  --isolation HOW   auto, bubblewrap or none (none)
  --keep            keep the data folder also when everything was right
`

const isolations = ["auto", "bubblewrap", "none"] as const

/** Reads a command line; undefined asks for the usage. Throws words for who wrote it. */
export const readOptions = (args: string[]): Options | undefined => {
  const { values } = parseArgs({
    args,
    options: {
      tasks: { type: "string", default: "100" },
      concurrency: { type: "string", default: "8" },
      seed: { type: "string", default: String(Math.floor(Math.random() * 1_000_000)) },
      calm: { type: "boolean", default: false },
      isolation: { type: "string", default: "none" },
      keep: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  })
  if (values.help) return undefined
  const isolation = isolations.find((name) => name === values.isolation)
  if (!isolation) throw new Error(`--isolation is one of ${isolations.join(", ")}, not ${values.isolation}`)
  return {
    tasks: numberOf("--tasks", values.tasks, 1, 5000),
    concurrency: numberOf("--concurrency", values.concurrency, 1, 50),
    seed: numberOf("--seed", values.seed, 0, 2 ** 32 - 1),
    calm: values.calm,
    isolation,
    keep: values.keep,
  }
}

const numberOf = (option: string, text: string, least: number, most: number) => {
  const number = Number(text)
  if (/^\d+$/.test(text) && number >= least && number <= most) return number
  throw new Error(`${option} takes a number from ${least} to ${most}, not ${text}`)
}
