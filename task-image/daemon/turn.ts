import { after } from "../../core/clock.ts"
import type { Agent } from "./agent.ts"
import type { AgentOptions, FromAgent, TurnEnd } from "./agent-messages.ts"
import { type Stop, watchModel } from "./limits.ts"
import { createLines, shorten } from "./lines.ts"
import type { Logs } from "./logs.ts"

/** Time for an agent that is told to stop, before it is killed. */
const graceSeconds = 10

/** What a turn came to. `broken`: the agent itself failed, not its turn. `isBegun`: the agent has heard what was to be done. */
export type TurnOutcome = Partial<TurnEnd> & { broken?: string; isBegun?: boolean }

type Options = {
  agent: Agent
  /** Of an agent that is not open yet. */
  open: AgentOptions | undefined
  prompt: string
  stop: Stop
  onReady: (version: string) => void
}

/** Has the agent do one turn, to its end or until it is stopped, and leaves nothing running that it has started. */
export const runTurn = async ({ agent, open, prompt, stop, onReady }: Options): Promise<TurnOutcome> => {
  let cancelKill: () => void = () => undefined
  const interrupt = () => {
    agent.tell({ do: "abort" })
    cancelKill = after(graceSeconds * 1000, () => void agent.kill())
  }
  stop.signal.addEventListener("abort", interrupt, { once: true })
  try {
    if (stop.signal.aborted) return {}
    if (open) {
      const opened = await agent.ask({ do: "open", options: open })
      if (opened.is === "broken") return { broken: opened.message }
      if (stop.signal.aborted) return {}
      if (opened.is === "ready") onReady(opened.version)
    }
    const end = await agent.ask({ do: "turn", prompt })
    if (end.is === "turn_end") return { ...end, isBegun: true }
    return { isBegun: true, broken: end.is === "broken" ? end.message : "The agent gave an answer to another question" }
  } finally {
    cancelKill()
    stop.signal.removeEventListener("abort", interrupt)
    await agent.calm()
  }
}

/** Follows a turn: says in the log what happens, and tells the model's silence from its work. */
export const followTurn = (logs: Logs, idleSeconds: number, stop: Stop) => {
  const model = watchModel(idleSeconds, stop)
  const text = createLines((line) => logs.say("agent_stdout", line))
  const onMessage = (message: FromAgent) => {
    if (message.is === "tool") model.toolStarts()
    else if (message.is === "tool_end") model.toolEnds()
    else model.hear()

    if (message.is === "text") text.push(message.delta)
    else if (message.is !== "alive") text.end()
    if (message.is === "tool") logs.say("agent_stdout", `▸ ${message.name} ${describe(message.args)}`)
    if (message.is === "notice") logs.say("daemon", message.text)
    if (message.is === "tool_end" && message.result.trim()) {
      logs.say(message.failed ? "agent_stderr" : "agent_stdout", indent(shorten(message.result, 20, 2000)))
    }
  }
  const close = () => {
    text.end()
    model.close()
  }
  return { onMessage, hear: model.hear, close }
}

const indent = (text: string) => text.replaceAll(/^/gm, "  ")

/** The arguments of a tool's call in one or a few lines: a command, a path, or else everything. */
const describe = (args: unknown) => {
  const { command, path } = (args ?? {}) as { command?: unknown; path?: unknown }
  if (typeof command === "string") return shorten(command, 10, 1000)
  return shorten(typeof path === "string" ? path : JSON.stringify(args ?? {}), 1, 300)
}
