import { join } from "node:path"
import { parseArgs } from "node:util"

/** The command line of `npm start`. */
export interface Options {
  port: number
  awsPort: number
  data: string
  isolation: "auto" | "bubblewrap" | "none"
  verbose: boolean
}

/** What is wrong with a command line, in words for who wrote it. */
export class UsageError extends Error {}

export const usage = `Usage: npm start -- [options]

  --port N          port of the API (3000); 0 takes any free one
  --aws-port N      port of the embedded AWS (4566); 0 takes any free one
  --data DIR        folder of everything that is kept (.dormouse)
  --isolation HOW   how tasks are kept apart from this machine: auto, bubblewrap or none (auto)
  --verbose         show what the functions print
  --help            show this

DORMOUSE_API_KEY is a key of your choice, whose account is made at the first start with it. ANTHROPIC_BASE_URL, OPENAI_BASE_URL and OPENROUTER_BASE_URL
take the place of the addresses of the model providers.
`

const isolations = ["auto", "bubblewrap", "none"] as const

/** Reads a command line; `help` asks for nothing but the usage. Throws `UsageError`. */
export function readOptions(args: string[], folder: string): Options | "help" {
  const values = parse(args)
  if (values.help) return "help"
  const isolation = isolations.find((name) => name === values.isolation)
  if (!isolation) throw new UsageError(`--isolation is one of ${isolations.join(", ")}, not ${values.isolation}`)
  return {
    port: portOf("--port", values.port),
    awsPort: portOf("--aws-port", values["aws-port"]),
    data: values.data ?? join(folder, ".dormouse"),
    isolation,
    verbose: values.verbose,
  }
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        port: { type: "string", default: "3000" },
        "aws-port": { type: "string", default: "4566" },
        data: { type: "string" },
        isolation: { type: "string", default: "auto" },
        verbose: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }).values
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

const portOf = (option: string, text: string) => {
  const port = Number(text)
  if (/^\d+$/.test(text) && port <= 65_535) return port
  throw new UsageError(`${option} takes a number from 0 to 65535, not ${text}`)
}
