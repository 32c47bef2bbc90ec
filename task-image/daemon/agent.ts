import { type StdioOptions, spawn } from "node:child_process"
import type { FromAgent, ToAgent } from "./agent-messages.ts"
import { type Found, killMarked, killQuietly, marked } from "./agent-processes.ts"
import { type Isolation, runner } from "./isolation.ts"
import { createLines } from "./lines.ts"

/** What an image may set for the programs in it. Everything else in the daemon's environment stays with the daemon. */
const inherited =
  "PATH LANG LC_ALL TZ JAVA_HOME GOPATH GOROOT VIRTUAL_ENV PYTHONPATH CARGO_HOME RUSTUP_HOME LD_LIBRARY_PATH SSL_CERT_FILE SSL_CERT_DIR"

export type AgentEnvironment = Record<string, string> & { DORMOUSE_AGENT: string }

/** The environment of the agent and of every command it runs, those in `bin` first. By `DORMOUSE_AGENT` they are found again. */
export const agentEnvironment = (runId: string, home: string, bin: string): AgentEnvironment => {
  const kept = inherited.split(" ").flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : []))
  const defaults = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C.UTF-8" }
  const environment: Record<string, string> = { ...defaults, ...Object.fromEntries(kept) }
  const PATH = `${bin}:${environment.PATH}`
  return { ...environment, PATH, HOME: home, TERM: "dumb", PI_OFFLINE: "1", DORMOUSE_AGENT: runId }
}

/** The answers that an order waits for. */
export type Answer = Extract<FromAgent, { is: "ready" | "turn_end" | "broken" }>

type Options = {
  isolation: Isolation
  cwd: string
  environment: AgentEnvironment
  onMessage: (message: FromAgent) => void
  onStderr: (line: string) => void
}

/** Starts the agent's process. `ask` answers `broken` when it dies, whatever it was asked. */
export const startAgent = ({ isolation, cwd, environment, onMessage, onStderr }: Options) => {
  const { user, wrapper } = isolation
  const runId = environment.DORMOUSE_AGENT
  const [program = process.execPath, ...args] = [...marked(runId), ...wrapper, process.execPath, runner]
  const stdio: StdioOptions = ["ignore", "ignore", "pipe", "ipc"]
  const child = spawn(program, args, { ...user, cwd, env: environment, detached: true, stdio })
  let waiting: ((answer: Answer) => void) | undefined
  let death: Answer | undefined

  const settle = (answer: Answer) => {
    waiting?.(answer)
    waiting = undefined
  }
  const die = (why: string) => {
    death ??= { is: "broken", message: `The agent's process ended unexpectedly (${why})` }
    settle(death)
  }
  child.on("message", (message: FromAgent) => {
    if (message.is === "ready" || message.is === "turn_end" || message.is === "broken") settle(message)
    else onMessage(message)
  })
  child.on("error", (error) => die(error.message))
  child.on("exit", (code, signal) => die(signal ? `signal ${signal}` : `exit code ${code}`))
  const lines = createLines(onStderr)
  child.stderr?.setEncoding("utf8").on("data", lines.push).on("end", lines.end)

  /** Behind a wrapper it has another number than we have spawned, and the wrapper stays as well. */
  const isAgent = ({ pid, commandLine }: Found) => (wrapper.length === 0 ? pid === child.pid : commandLine.includes(runner))
  const tell = (order: ToAgent) => {
    if (child.connected) child.send(order, () => undefined)
  }
  const ask = (order: ToAgent): Promise<Answer> =>
    new Promise((resolve) => {
      if (death) return resolve(death)
      waiting = resolve
      tell(order)
    })
  return {
    tell,
    ask,
    /** Kills the agent and whatever it has started, also what has left its process group. */
    kill: async () => {
      if (child.pid && child.exitCode === null && child.signalCode === null) killQuietly(-child.pid)
      await killMarked(runId, isolation, () => false)
    },
    /** Ends what the agent has started, and leaves the agent itself. */
    calm: () => killMarked(runId, isolation, isAgent),
  }
}

export type Agent = ReturnType<typeof startAgent>
