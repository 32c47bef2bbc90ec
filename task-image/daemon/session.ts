import { type Agent, startAgent } from "./agent.ts"
import type { AgentOptions, FromAgent } from "./agent-messages.ts"
import type { Equipment } from "./equipment.ts"
import { decide, type Sleep } from "./hibernation.ts"
import type { Isolation } from "./isolation.ts"
import { type Stop, spoken } from "./limits.ts"
import { createLiveText, type LiveText } from "./live-text.ts"
import type { Refusal } from "./model-gateway.ts"
import { startModelProxy } from "./model-proxy.ts"
import { systemPrompt } from "./prompts.ts"
import type { Run } from "./run.ts"
import { followTurn, runTurn, type TurnOutcome } from "./turn.ts"
import { upload } from "./upload.ts"

const commandMaxSeconds = 30 * 60

type Place = { isolation: Isolation; equipment: Equipment }

/** What came of a turn, with the sleep that was granted in it and the last no of the model's provider. */
export type Outcome = TurnOutcome & { sleep: Sleep | undefined; refusal: Refusal | undefined }

/** The agent with its way to the models. It stays open from turn to turn, and is opened again where it had to be killed. */
export const createSession = async (run: Run, { isolation, equipment }: Place) => {
  const { home, environment, skills } = equipment
  const { api, claimed, logs, settings, runToken } = run
  const { bundle } = claimed
  const { provider, model } = bundle.execution
  let events: ReturnType<typeof followTurn> | undefined
  let sleep: Sleep | undefined

  const proxy = await startModelProxy({
    api: settings.apiUrl,
    runToken,
    provider,
    store: async (body) => {
      const { request_id, ...place } = await api.prepareModelRequest(claimed.run.id, { size_bytes: body.length })
      await upload(place, body, body.length)
      return request_id
    },
    onWait: ({ status, message }, seconds) => {
      events?.hear()
      logs.say("daemon", `The model cannot answer now (${status}: ${message}). Asking again in ${spoken(seconds)}`)
    },
  })
  const agentOptions: AgentOptions = {
    provider,
    model,
    placeholderKey: proxy.key,
    modelOrigin: proxy.origin,
    systemPrompt: systemPrompt(bundle),
    cwd: settings.workspace,
    stateDir: home,
    skillsFolder: skills,
    commandEnvironment: environment,
    commandMaxSeconds,
  }
  let live: LiveText | undefined
  const onMessage = (message: FromAgent) => {
    events?.onMessage(message)
    if (message.is === "text") live?.add(message.delta)
    if (message.is === "tool") live?.pause()
    if (message.is === "cost") run.cost.soFar(message.costUsd)
    if (message.is !== "hibernate") return
    const decision = decide(message.request, bundle.limits.hibernation, run.mode)
    // Its turn is over once it may sleep, whatever else it asks for in the same breath.
    if (!("refusal" in decision)) sleep = decision
    run.agent?.tell({ do: "hibernation", refusal: "refusal" in decision ? decision.refusal : undefined })
  }
  const start = (): Agent =>
    startAgent({ isolation, cwd: settings.workspace, environment, onMessage, onStderr: (line) => logs.say("agent_stderr", line) })

  return {
    turn: async (number: number, prompt: string, stop: Stop): Promise<Outcome> => {
      sleep = undefined
      proxy.startTurn()
      // Only a conversation can be followed as it is spoken.
      live =
        run.mode === "conversation" ? createLiveText((text) => api.say(claimed.run.id, { turn_number: number, text })) : undefined
      events = followTurn(logs, bundle.limits.model_idle_seconds, stop)
      const open = run.agent ? undefined : agentOptions
      run.agent ??= start()
      const onReady = (version: string) => logs.say("daemon", `Starting pi ${version} with ${provider}/${model}`)
      try {
        const outcome = await runTurn({ agent: run.agent, open, prompt, stop, onReady })
        if (outcome.broken || stop.signal.aborted) await end()
        return { ...outcome, sleep: outcome.isSleeping ? sleep : undefined, refusal: proxy.refusal() }
      } finally {
        events.close()
        await live?.close()
      }
    },
    /** Said to the agent at work. */
    steer: (text: string, mustBeHeard: boolean) => run.agent?.tell({ do: "steer", text, mustBeHeard }),
    close: async () => {
      await end()
      proxy.close()
    },
  }

  async function end() {
    await run.agent?.kill()
    run.agent = undefined
  }
}

export type Session = Awaited<ReturnType<typeof createSession>>
