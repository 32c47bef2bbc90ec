/** What the daemon and the agent's process say to each other over process IPC. Nothing secret ever crosses. */

export type Provider = "anthropic" | "openai" | "openrouter"

export type AgentOptions = {
  provider: Provider
  model: string
  /** Opens the daemon's loopback model proxy and nothing else. */
  placeholderKey: string
  /** Scheme, host and port of that proxy. */
  modelOrigin: string
  systemPrompt: string
  /** The workspace: where the tools work. */
  cwd: string
  /** The agent's own folder, for its transcript. */
  stateDir: string
  /** A folder of skills, which need not be there. */
  skillsFolder: string
  /** The whole environment of the commands that the agent runs. */
  commandEnvironment: Record<string, string>
  commandMaxSeconds: number
}

export type ToAgent =
  | { do: "open"; options: AgentOptions }
  | { do: "turn"; prompt: string }
  /** Said to the agent before its next request to the model; if there is none any more, only what must be heard. */
  | { do: "steer"; text: string; mustBeHeard: boolean }
  /** Whether the agent may sleep as it has asked to; why not, where it may not. */
  | { do: "hibernation"; refusal: string | undefined }
  | { do: "abort" }

/** How pi says that a turn ended; `undefined` when the model gave no answer at all. */
export type StopReason = "stop" | "length" | "toolUse" | "error" | "aborted"

export type TurnEnd = {
  /** The agent's last words. */
  text: string | null
  stopReason?: StopReason
  error?: string
  /** What the turn has cost, in US dollars, by pi's price list. */
  costUsd: number
  /** Of what was said to it in the turn, and must be heard, the agent has been told so much. */
  heard: number
  /** The agent sleeps from now on, as it was granted. */
  isSleeping: boolean
  /** In tokens. */
  usage: { input: number; output: number; cacheRead: number; cacheWrite: number }
}

/** How the agent asks to sleep: until a time, or for so many seconds. */
export type HibernationRequest = { until?: string; seconds?: number; reason: string }

export type FromAgent =
  | { is: "ready"; version: string }
  | { is: "text"; delta: string }
  | { is: "text_end" }
  /** The model said something that is not shown. */
  | { is: "alive" }
  | { is: "tool"; name: string; args: unknown }
  | { is: "tool_end"; name: string; failed: boolean; result: string }
  | { is: "notice"; text: string }
  /** What the turn has cost so far, in US dollars: said after each answer of the model. */
  | { is: "cost"; costUsd: number }
  | { is: "hibernate"; request: HibernationRequest }
  | ({ is: "turn_end" } & TurnEnd)
  /** The agent could not be opened, or broke in a way that it did not expect. */
  | { is: "broken"; message: string }
