import { mkdir } from "node:fs/promises"
import { startAgent } from "./agent.ts"
import { Refused } from "./api.ts"
import { type Equipment, equip } from "./equipment.ts"
import { whyFailed } from "./failure.ts"
import { chooseIsolation, type Isolation } from "./isolation.ts"
import { spoken, watchLimits } from "./limits.ts"
import { startModelProxy } from "./model-proxy.ts"
import { finishUp, systemPrompt, turnPrompt } from "./prompts.ts"
import type { Run } from "./run.ts"
import { followTurn, runTurn } from "./turn.ts"
import { upload } from "./upload.ts"
import { prepareWorkspace } from "./workspace.ts"

const commandMaxSeconds = 30 * 60

/** What came of the work. `error`: why it failed, for the person who asked for it. */
export type Worked = { error?: string; result: string | null; costUsd: number }

/** Prepares the workspace and has the agent do its turn there. */
export const work = async (run: Run): Promise<Worked> => {
  const { claimed, claimedAt, api, logs, stop, settings } = run
  const { limits } = claimed.bundle
  const onSoftFinish = (secondsLeft: number) => {
    logs.say("daemon", `Asking the agent to finish up: ${spoken(secondsLeft)} are left`)
    run.agent?.tell({ do: "steer", text: finishUp(secondsLeft) })
  }
  const watch = watchLimits({ limits, claimedAt, stop, onSoftFinish })
  run.adjustTime = watch.adjust
  try {
    await mkdir(settings.workspace, { recursive: true })
    const isolation = (await chooseIsolation(settings.workspace)) ?? { wrapper: [] }
    const isOpen = !isolation.user && isolation.wrapper.length === 0
    if (isOpen) logs.say("daemon", "The agent is not isolated from the daemon: there is no other user and no bubblewrap here")
    const { bundle, run: attempt } = claimed
    const sources = bundle.has_sources ? await api.sources(attempt.id) : { repositories: [], skills: [] }
    const { repositories } = sources
    await prepareWorkspace({ root: settings.workspace, bundle, repositories, api, runId: attempt.id, user: isolation.user })
    const equipment = await equip(run, isolation, sources)
    logs.say("daemon", "Workspace is ready")
    watch.startTurn()
    return await haveAgentWork(run, isolation, equipment)
  } catch (error) {
    if (error instanceof Refused && error.isLost) throw error
    const stopped = whyFailed({ outcome: {}, cause: stop.cause(), refusal: undefined, bundle: claimed.bundle })
    return { error: stop.cause() ? stopped : messageOf(error), result: null, costUsd: 0 }
  } finally {
    watch.close()
  }
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))

const haveAgentWork = async (run: Run, isolation: Isolation, { home, environment, skills }: Equipment): Promise<Worked> => {
  const { api, claimed, logs, stop, settings, runToken } = run
  const { bundle } = claimed
  const { provider, model } = bundle.execution
  const events = followTurn(logs, bundle.limits.model_idle_seconds, stop)
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
      events.hear()
      logs.say("daemon", `The model cannot answer now (${status}: ${message}). Asking again in ${spoken(seconds)}`)
    },
  })
  const onStderr = (line: string) => logs.say("agent_stderr", line)
  run.agent = startAgent({ isolation, cwd: settings.workspace, environment, onMessage: events.onMessage, onStderr })
  try {
    const outcome = await runTurn({
      agent: run.agent,
      agentOptions: {
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
      },
      prompt: turnPrompt(bundle),
      stop,
      onReady: (version) => logs.say("daemon", `Starting pi ${version} with ${provider}/${model}`),
    })
    const error = whyFailed({ outcome, cause: stop.cause(), refusal: proxy.refusal(), bundle })
    return { error, result: outcome.text || null, costUsd: outcome.costUsd ?? 0 }
  } finally {
    events.close()
    proxy.close()
  }
}
