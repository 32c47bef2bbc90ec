import { readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { build } from "../build/bundle.ts"
import { ensureFirstAccount, type FirstKey, firstKey } from "./first-account.ts"
import type { Options } from "./options.ts"
import { type Stack, startStack } from "./stack.ts"
import type { Wiring } from "./wiring.ts"

const root = join(import.meta.dirname, "..")

/** Runs everything on this machine until a signal ends it. Rejects with words for the user. */
export async function runHere(options: Options): Promise<void> {
  await build(root)
  const wiring: Wiring = JSON.parse(readFileSync(join(root, "infra", "wiring.json"), "utf8"))
  const stack = await start(options, wiring)
  const ended = signalled()
  try {
    const key = firstKey(options.data, process.env.DORMOUSE_API_KEY)
    await ensureFirstAccount(stack, wiring, key.key)
    process.stdout.write(welcome(stack, wiring, resolve(options.data), key))
    await ended
  } finally {
    await stack.stop()
  }
}

const start = ({ data, port, awsPort, isolation, verbose }: Options, wiring: Wiring) =>
  startStack({ wiring, data: resolve(data), apiPort: port, awsPort, isolation, verbose, env: process.env }).catch((error) => {
    if (error.code !== "EADDRINUSE") throw error
    const option = error.port === port ? "--port" : "--aws-port"
    throw new Error(`Port ${error.port} is in use. Choose another one with ${option}, or 0 for any that is free.`)
  })

/** A terminal's Ctrl-C comes twice: once to the whole group of processes, once handed on by npm. */
const sameSignalMs = 1000

/** Resolves at the first SIGINT or SIGTERM; asked again later, the process ends on the spot. */
const signalled = () =>
  new Promise<void>((resolve) => {
    let asked: number | undefined
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.on(signal, () => {
        if (asked !== undefined && performance.now() - asked > sameSignalMs) process.exit(1)
        asked ??= performance.now()
        resolve()
      })
    }
  })

const sources: Record<FirstKey["from"], string> = {
  environment: "from DORMOUSE_API_KEY",
  file: "kept in the data folder",
  new: "made just now, and kept in the data folder",
}

const targets = ({ functions }: Wiring) =>
  Object.values(functions).some(({ environment }) => environment.WEBHOOK_TARGETS === "any")
    ? "may go to any address, also by http:// and to this machine"
    : "may go to public addresses only"

function welcome(stack: Stack, wiring: Wiring, data: string, { key, from }: FirstKey): string {
  const { isolation, reason } = stack.isolation
  const url = stack.apiUrl.replace("127.0.0.1", "localhost")
  const warning = `
WARNING: tasks run without isolation${reason ? ` (${reason})` : ""}.
An agent can read and change whatever the user of this process can.
`
  return `
  API           ${url}/api/v1
  API key       ${from === "environment" ? "…" : key} (${sources[from]})
  AWS endpoint  ${stack.awsUrl}
  AWS access key / secret
                ${stack.credentials.accessKeyId} / ${stack.credentials.secretAccessKey}
  Data folder   ${data}
  Webhooks      ${targets(wiring)}
  Isolation     ${isolation}
${isolation === "none" ? warning : ""}
Dormouse is ready at ${url}
`
}
