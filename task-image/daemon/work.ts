import { rmSync } from "node:fs"
import { chown, mkdir, mkdtemp } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { agentEnvironment, startAgent } from "./agent.ts"
import { Refused } from "./api.ts"
import { whyFailed } from "./failure.ts"
import { chooseIsolation, type Isolation, type User } from "./isolation.ts"
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
    await prepareWorkspace({ root: settings.workspace, bundle: claimed.bundle, api, runId: claimed.run.id, user: isolation.user })
    logs.say("daemon", "Workspace is ready")
    watch.startTurn()
    return await haveAgentWork(run, isolation)
  } catch (error) {
    if (error instanceof Refused && error.isLost) throw error
    return { error: error instanceof Error ? error.message : String(error), result: null, costUsd: 0 }
  } finally {
    watch.close()
  }
}

const haveAgentWork = async (run: Run, isolation: Isolation): Promise<Worked> => {
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
  const stateDir = await makeStateDir(isolation.user)
  const environment = agentEnvironment(claimed.run.id, stateDir)
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
        stateDir,
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

/** The agent's home, outside the workspace, with its transcript. */
const makeStateDir = async (user: User | undefined) => {
  const folder = await mkdtemp(join(tmpdir(), "dormouse-agent-"))
  // However the process ends: a lost run ends it at once.
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }))
  if (user) await chown(folder, user.uid, user.gid)
  return folder
}
