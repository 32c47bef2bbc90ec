import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { operatorKeyId, operatorSecret } from "../local/credentials.ts"
import { type App, appOf } from "./app.ts"

const main = join(import.meta.dirname, "../local/main.ts")
const operator = (data: string) => ({ accessKeyId: operatorKeyId, secretAccessKey: operatorSecret(data) })
/** What is kept of what the stack says on standard error. */
const keptCharacters = 20_000

interface Options {
  /** The folder that outlives every process of the stack. */
  data: string
  env?: Record<string, string>
  isolation?: "auto" | "bubblewrap" | "none"
}

/**
 * The stack in a process of its own, as `npm start` runs it, so that it can be killed. It is started again on the same folder and the
 * same ports, which the first start chooses.
 */
export const childStack = ({ data, env = {}, isolation = "none" }: Options) => {
  let child: ChildProcess | undefined
  let [port, awsPort] = ["0", "0"]
  let errors = ""
  let isUp = false
  let outages = 0

  /** Resolves with true when it is ready, with false when it was killed before. Rejects when it ended by itself. */
  const start = async (): Promise<boolean> => {
    const args = ["--port", port, "--aws-port", awsPort, "--data", data, "--isolation", isolation]
    const started = spawn(process.execPath, [main, ...args], {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    })
    child = started
    started.stderr.on("data", (chunk: Buffer) => (errors = (errors + chunk).slice(-keptCharacters)))
    const ready = readyWhen(started)
    const ended = once(started, "exit").then(([code, signal]) => ({ code: code as number | null, signal: String(signal) }))
    const outcome = await Promise.race([ready, ended])
    if ("port" in outcome) {
      port = outcome.port
      awsPort = outcome.awsPort
      isUp = true
      return true
    }
    if (outcome.signal === "SIGKILL") return false
    throw new Error(`The stack ended with ${outcome.code ?? outcome.signal} instead of starting:\n${errors}`)
  }

  /** Ends the process and answers its exit code; null when it had to be killed. */
  const end = async (signal: "SIGTERM" | "SIGKILL"): Promise<number | null> => {
    const ending = child
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return ending?.exitCode ?? null
    isUp = false
    outages++
    const exited = once(ending, "exit")
    ending.kill(signal)
    const [code] = await exited
    return code as number | null
  }

  return {
    data,
    start,
    /** As a power cut: nothing gets to finish. */
    kill: () => end("SIGKILL"),
    stop: () => end("SIGTERM"),
    isUp: () => isUp,
    /** Goes up whenever it is ended: what was under way while this changed may have failed for that. */
    outages: () => outages,
    pid: () => child?.pid ?? 0,
    errors: () => errors,
    /** The front door. Good until the folder is given up, since the ports stay. */
    app: (): App =>
      appOf({ apiUrl: `http://127.0.0.1:${port}`, awsUrl: `http://127.0.0.1:${awsPort}`, credentials: operator(data) }),
  }
}

export type ChildStack = ReturnType<typeof childStack>

/** The ports, once the program says that it is ready. Goes on reading what it says, so that it never has to wait. */
const readyWhen = (program: ChildProcess) =>
  new Promise<{ port: string; awsPort: string }>((resolve) => {
    let said = ""
    program.stdout!.on("data", (chunk: Buffer) => {
      said += chunk
      const port = /Dormouse is ready at http:\/\/localhost:(\d+)/.exec(said)?.[1]
      const awsPort = /AWS endpoint\s+http:\/\/127\.0\.0\.1:(\d+)/.exec(said)?.[1]
      if (port && awsPort) resolve({ port, awsPort })
    })
  })
