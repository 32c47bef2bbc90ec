import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { AgentSession, ResourceLoader } from "@earendil-works/pi-coding-agent"
import type { AgentOptions, FromAgent, HibernationRequest, StopReason, TurnEnd } from "./agent-messages.ts"

// Everything that touches pi is in this file, so that a new version of it is one file's work.
type Pi = typeof import("@earendil-works/pi-coding-agent")

/** A model as pi's catalogue has it, as far as we look at it. */
type Model = { id: string; name: string; api: string; baseUrl: string; [setting: string]: unknown }

/** Beside the built daemon, or in development the npm package. Its bundle holds all that it depends on. */
const piFolder = () => {
  const built = new URL("./pi/dist/", import.meta.url)
  return existsSync(built) ? built : new URL("./", import.meta.resolve("@earendil-works/pi-coding-agent"))
}

const loadPi = (): Promise<Pi> => import(new URL("bundle/index.js", piFolder()).href)

const piVersion = (): string => JSON.parse(readFileSync(new URL("../package.json", piFolder()), "utf8")).version

/** Asks whether the agent may sleep; answers why not, or nothing where it may. */
type AskToSleep = (request: HibernationRequest) => Promise<string | undefined>

/** Opens pi with nothing found by itself: no user settings, no extensions, no project files, no network but the model proxy. */
export const openPi = async (options: AgentOptions, tell: (message: FromAgent) => void, askToSleep: AskToSleep) => {
  const pi = await loadPi()
  const modelRuntime = await pi.ModelRuntime.create({
    authPath: join(options.stateDir, "auth.json"),
    modelsPath: null,
    modelsStorePath: join(options.stateDir, "models.json"),
    allowModelNetwork: false,
  })
  await modelRuntime.setRuntimeApiKey(options.provider, options.placeholderKey)

  const sleep = createSleep(askToSleep)
  const { session } = await pi.createAgentSession({
    cwd: options.cwd,
    agentDir: options.stateDir,
    modelRuntime,
    model: chooseModel(modelRuntime, options),
    thinkingLevel: "off",
    tools: ["read", "bash", "edit", "write", "hibernate"],
    customTools: [bashTool(pi, options), hibernateTool(pi, sleep.begin)],
    resourceLoader: fixedResources(pi, options),
    sessionManager: openSession(pi, options),
    settingsManager: settings(pi),
  })
  let turnUsd = 0
  session.subscribe((event: SessionEvent) => {
    if (event.type === "message_end") turnUsd += event.message.usage?.cost.total ?? 0
    const message = translate(event, turnUsd)
    if (message) tell(message)
  })
  const steering = steerAtBoundary(session, sleep.isBegun)

  const turn = async (prompt: string): Promise<TurnEnd> => {
    const [stats, before] = [session.getSessionStats(), lastAnswer(session)]
    turnUsd = 0
    steering.start()
    // What a person said while the last words were being spoken is a reason to go on.
    for (let text = prompt; text; text = steering.unheard()) {
      sleep.end()
      await session.prompt(text, { expandPromptTemplates: false })
      await session.waitForIdle()
    }
    const last = lastAnswer(session)
    const text = last === before ? null : (session.getLastAssistantText() ?? null)
    const { stopReason, errorMessage: error } = (last === before ? undefined : last) ?? {}
    return {
      text,
      stopReason,
      error,
      isSleeping: sleep.isBegun(),
      heard: steering.heard(),
      ...difference(stats, session.getSessionStats()),
    }
  }
  const abort = () => {
    steering.unheard()
    return session.abort()
  }
  return { version: piVersion(), turn, steer: steering.add, abort }
}

const lastAnswer = (session: AgentSession) =>
  session.messages.filter((message: Message) => message.role === "assistant").at(-1) as Message | undefined

/** The transcript, which a checkpoint may have brought back: then the agent remembers. */
const openSession = (pi: Pi, { cwd, stateDir }: AgentOptions) => {
  const file = join(stateDir, "session.jsonl")
  if (existsSync(file)) return pi.SessionManager.open(file, undefined, cwd)
  const manager = pi.SessionManager.create(cwd, stateDir)
  manager.setSessionFile(file)
  return manager
}

type Stats = { cost: number; tokens: TurnEnd["usage"] }

const difference = (before: Stats, after: Stats): Pick<TurnEnd, "costUsd" | "usage"> => {
  const tokens = (kind: keyof TurnEnd["usage"]) => Math.max(0, after.tokens[kind] - before.tokens[kind])
  const usage = {
    input: tokens("input"),
    output: tokens("output"),
    cacheRead: tokens("cacheRead"),
    cacheWrite: tokens("cacheWrite"),
  }
  return { costUsd: after.cost - before.cost, usage }
}

/** Once the agent may sleep its turn is over, whatever else it has asked for in the same breath. */
const createSleep = (ask: AskToSleep) => {
  let isBegun = false
  return {
    begin: async (request: HibernationRequest) => {
      const refusal = await ask(request)
      if (refusal !== undefined) throw new Error(refusal)
      isBegun = true
    },
    isBegun: () => isBegun,
    end: () => {
      isBegun = false
    },
  }
}

const hibernateTool = (pi: Pi, begin: (request: HibernationRequest) => Promise<void>) =>
  pi.defineTool({
    name: "hibernate",
    label: "Hibernate",
    description:
      "Sleep, and go on in this very conversation later: when the time has come, or when somebody wakes you. Sleeping costs nothing and does not use up your time. Files in the workspace and your memory stay; running processes do not. Ends your turn.",
    parameters: {
      type: "object",
      properties: {
        until: {
          type: "string",
          description: "When to wake up: a time in ISO 8601 with its zone, such as 2026-12-24T12:00:00Z.",
        },
        seconds: { type: "number", description: "How long to sleep, in seconds. Give this or `until`." },
        reason: { type: "string", description: "What you are waiting for, in a sentence for the person who follows the task." },
      },
      required: ["reason"],
      additionalProperties: false,
    } as never,
    executionMode: "sequential",
    execute: async (_id: string, params: unknown) => {
      await begin(params as HibernationRequest)
      return { content: [{ type: "text" as const, text: "Good night." }], details: undefined, terminate: true }
    },
  })

/** The retries of refused requests are the model proxy's, which knows `retry-after`; pi's are for answers that break off. */
const settings = (pi: Pi) =>
  pi.SettingsManager.inMemory({
    // Otherwise pi pays for requests that only keep the provider's prompt cache alive.
    cacheWarming: "off",
    enableInstallTelemetry: false,
    enableAnalytics: false,
    retry: { enabled: true, maxRetries: 3, baseDelayMs: 500 },
    compaction: { enabled: true },
  })

type Catalogue = { getModel(provider: string, id: string): unknown; getModels(provider: string): readonly unknown[] }

/** The model of the catalogue, or one that is like the provider's others, with its requests sent to the proxy. */
const chooseModel = (catalogue: Catalogue, { provider, model: id, modelOrigin }: AgentOptions) => {
  const model = (catalogue.getModel(provider, id) as Model | undefined) ?? unknownModel(catalogue, provider, id)
  // Only scheme and host change: the two wire formats of OpenRouter live under different paths.
  return { ...model, baseUrl: modelOrigin + new URL(model.baseUrl).pathname.replace(/\/$/, "") }
}

const unknownModel = (catalogue: Catalogue, provider: string, id: string): Model => {
  const models = catalogue.getModels(provider) as Model[]
  const alike = models.find(({ api }) => provider !== "openrouter" || api === "openai-completions")
  if (!alike) throw new Error(`There is no provider ${provider}`)
  return {
    ...alike,
    id,
    name: id,
    reasoning: false,
    // What belongs to the other model alone would end up in the requests.
    thinkingLevelMap: undefined,
    compat: undefined,
    inputLimits: undefined,
    promptCache: undefined,
    cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 },
    contextWindow: 128_000,
    maxTokens: 16_384,
  }
}

/** pi's bash has no time limit of its own and hands on the environment of its process; ours has one, and a given environment. */
const bashTool = (pi: Pi, { cwd, commandEnvironment, commandMaxSeconds }: AgentOptions) => {
  const local = pi.createLocalBashOperations()
  return pi.createBashToolDefinition(cwd, {
    exposeSessionEnvironment: false,
    spawnHook: (context) => ({ ...context, env: commandEnvironment }),
    operations: {
      exec: (command, where, how) =>
        local.exec(command, where, { ...how, timeout: Math.min(how.timeout ?? commandMaxSeconds, commandMaxSeconds) }),
    },
  })
}

const fixedResources = (pi: Pi, { systemPrompt, skillsFolder }: AgentOptions): ResourceLoader => ({
  getExtensions: () => ({ extensions: [], errors: [], runtime: pi.createExtensionRuntime() }),
  getSkills: () => pi.loadSkillsFromDir({ dir: skillsFolder, source: "task" }),
  getPrompts: () => ({ prompts: [], diagnostics: [] }),
  getThemes: () => ({ themes: [], diagnostics: [] }),
  getAgentsFiles: () => ({ agentsFiles: [] }),
  getSystemPrompt: () => systemPrompt,
  getSystemPromptSource: () => undefined,
  getAppendSystemPrompt: () => [],
  getAppendSystemPromptSources: () => [],
  extendResources: () => undefined,
  reload: async () => undefined,
})

type FinishTurn = (turn: { toolResults: unknown[] }, signal?: AbortSignal) => unknown

/**
 * A message to an agent at work waits for the next boundary with results of tools. Handed over at once it could follow
 * the final answer, and start another turn whose words replace that answer. What found no boundary is `unheard`, where it must be heard.
 */
const steerAtBoundary = (session: AgentSession, mustEnd: () => boolean) => {
  let waiting: { text: string; mustBeHeard: boolean }[] = []
  let [heard, isFirst] = [0, true]
  const take = () => {
    const taken = waiting
    waiting = []
    heard += taken.filter(({ mustBeHeard }) => mustBeHeard).length
    return taken
  }
  const agent = session.agent as { finishTurn?: FinishTurn }
  const inner = agent.finishTurn
  agent.finishTurn = async (turn, signal) => {
    const decision = await inner?.(turn, signal)
    if (mustEnd()) return { action: "end" }
    if (turn.toolResults.length > 0) for (const { text } of take()) await session.steer(text)
    return decision
  }
  return {
    add: (text: string, mustBeHeard: boolean) => void waiting.push({ text, mustBeHeard }),
    /** What was said after the end of the turn before is said again with what is done next. */
    start: () => {
      if (!isFirst) waiting = waiting.filter(({ mustBeHeard }) => !mustBeHeard)
      isFirst = false
      heard = 0
    },
    heard: () => heard,
    unheard: () =>
      take()
        .flatMap(({ text, mustBeHeard }) => (mustBeHeard ? [text] : []))
        .join("\n\n"),
  }
}

type Message = { role: string; stopReason?: StopReason; errorMessage?: string; usage?: { cost: { total: number } } }

/** pi's events, as far as we look at them. */
type SessionEvent =
  | { type: "message_update"; assistantMessageEvent: { type: string; delta?: string } }
  | { type: "message_end"; message: Message }
  | { type: "tool_execution_start"; toolName: string; args: unknown }
  | { type: "tool_execution_end"; toolName: string; isError: boolean; result: unknown }
  | { type: "auto_retry_start"; errorMessage: string }
  | { type: "compaction_start" }
  | { type: "other" }

const translate = (event: SessionEvent, turnUsd: number): FromAgent | undefined => {
  switch (event.type) {
    case "message_update": {
      const { type, delta } = event.assistantMessageEvent
      if (type === "text_delta" && delta) return { is: "text", delta }
      return { is: type === "text_end" ? "text_end" : "alive" }
    }
    case "message_end":
      return event.message.role === "assistant" ? { is: "cost", costUsd: turnUsd } : { is: "alive" }
    case "tool_execution_start":
      return { is: "tool", name: event.toolName, args: event.args }
    case "tool_execution_end":
      return { is: "tool_end", name: event.toolName, failed: event.isError, result: textOf(event.result) }
    case "auto_retry_start":
      return { is: "notice", text: `The model's answer broke off (${event.errorMessage}). Asking again.` }
    case "compaction_start":
      return { is: "notice", text: "The conversation is long; summarising its older part" }
    default:
      return { is: "alive" }
  }
}

const textOf = (result: unknown) => {
  const content = (result as { content?: { type: string; text?: string }[] } | undefined)?.content ?? []
  return content.map(({ type, text }) => text ?? `[${type}]`).join("\n")
}
