import { spawn } from "node:child_process"
import { readdirSync, readlinkSync } from "node:fs"
import { chmod, mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { expect, onTestFinished } from "vitest"
import type { z } from "zod"
import type { Sources } from "../../core/git.ts"
import { type Script, startModelServer } from "../../test/model-server.ts"
import type { Bundle } from "../daemon/api.ts"
import { claimToken, startContainerApi } from "./container-api.ts"

const daemon = fileURLToPath(new URL("../daemon/main.ts", import.meta.url))

const bundleWith = ({ limits, ...changes }: Changes): Bundle => ({
  agent: { id: "agt_1", name: "Reporter", version_id: "agv_1" },
  base_prompt: "You write reports.",
  instructions: "Write a report about dormice.",
  turn: { number: 1, mode: "autonomous", messages: [] },
  wake: null,
  channel: "tsk_1",
  warm: { turn_seconds: 120, run_seconds: 3600 },
  execution: { provider: "anthropic", model: "claude-sonnet-4-5", weak_model: "claude-haiku-4-5" },
  limits: {
    max_runtime_seconds: 3600,
    max_runtime_per_turn_seconds: null,
    soft_finish_after_seconds: null,
    model_idle_seconds: 300,
    hibernation: { enabled: true, cycle_seconds: 604_800, left_seconds: 2_592_000 },
    ...limits,
  },
  time_left_seconds: limits?.max_runtime_seconds ?? 3600,
  output_policy: { mode: "any" },
  input_files: [],
  reference_files: [],
  checkpoint: null,
  has_sources: false,
  ...changes,
})

type Changes = Partial<Omit<Bundle, "limits">> & { limits?: Partial<Bundle["limits"]> }

type Options = {
  script: Script
  /** Every container has a run of its own. */
  runId?: string
  bundle?: Changes
  files?: Record<string, string>
  sources?: Partial<z.infer<typeof Sources>>
  environment?: Record<string, string>
  objects?: Map<string, Buffer>
  /** A command that runs the daemon after it in a container. */
  container?: string[]
  /** What the image has put into the workspace. */
  image?: (workspace: string) => Promise<unknown>
}

/** The run of a test, unlike those of the test files that run beside it: at the end of a run all processes that carry its id are ended. */
export const runOfTest = `run_${process.pid}`

/**
 * Starts the daemon as a container would, with an API, a store and a model provider of its own, and a clock that the test moves.
 * `ended` is its exit code.
 */
export const startStage = async ({
  script,
  runId = runOfTest,
  bundle = {},
  files,
  sources,
  environment,
  objects,
  container = [],
  image,
}: Options) => {
  const folder = await mkdtemp(join(tmpdir(), "dormouse-stage-"))
  await chmod(folder, 0o755)
  const workspace = join(folder, "workspace")
  await mkdir(workspace)
  await image?.(workspace)

  const clockFile = join(folder, "clock")
  let offset = 0
  const move = async (seconds: number) => {
    offset += seconds * 1000
    // In one step: whoever reads a file that is being written finds it empty, and jumps back in time.
    await writeFile(`${clockFile}.new`, String(offset))
    await rename(`${clockFile}.new`, clockFile)
  }
  await move(0)

  const model = await startModelServer(script)
  const now = () => new Date(Date.now() + offset)
  const api = await startContainerApi({
    runId,
    bundle: bundleWith({ has_sources: sources !== undefined, ...bundle }),
    now,
    modelUrl: model.url,
    files,
    sources: { repositories: [], skills: [], ...sources },
    ...(objects && { objects }),
  })
  const [program = process.execPath, ...args] = [...container, process.execPath, daemon]
  const child = spawn(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      PATH: process.env.PATH,
      DORMOUSE_API_URL: api.url,
      DORMOUSE_RUN_ID: runId,
      DORMOUSE_CLAIM_TOKEN: claimToken,
      DORMOUSE_WORKSPACE: workspace,
      DORMOUSE_CLOCK: clockFile,
      ...environment,
    },
  })
  const printed: string[] = []
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => printed.push(text))
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve))

  onTestFinished(async () => {
    child.kill("SIGKILL")
    await ended
    api.close()
    await model.close()
    await rm(folder, { recursive: true, force: true })
  })

  const lines = () => [...api.seen.batches].sort(([a], [b]) => a - b).flatMap(([, batch]) => batch)
  const said = (source: string) => lines().flatMap((line) => (line.source === source ? [line.message] : []))
  const until = async (condition: () => boolean) => {
    await expect.poll(condition, { timeout: 20_000, interval: 20 }).toBe(true)
  }
  /** Waits until the model was asked for the nth time, from 0. */
  const untilAsked = (n: number) => until(() => model.requests.length > n)
  const agentProcesses = () => processesIn(workspace)
  return {
    api,
    model,
    child,
    ended,
    workspace,
    move,
    lines,
    said,
    until,
    untilAsked,
    agentProcesses,
    printed: () => printed.join(""),
  }
}

/** Processes that work in `folder`, whatever they see as their own ids. */
const processesIn = (folder: string) =>
  readdirSync("/proc").filter((name) => {
    try {
      return /^\d+$/.test(name) && readlinkSync(`/proc/${name}/cwd`).endsWith(folder)
    } catch {
      return false
    }
  })

/** Moves the stage's clock on until its daemon has ended: quickly, but so that heartbeats get through. */
export const fastForward = async ({ move, ended }: Awaited<ReturnType<typeof startStage>>): Promise<number | null> => {
  let code: number | null | undefined
  void ended.then((value) => {
    code = value
  })
  await expect
    .poll(
      async () => {
        if (code === undefined) await move(5)
        return code
      },
      { timeout: 50_000, interval: 100 },
    )
    .not.toBe(undefined)
  return ended
}
