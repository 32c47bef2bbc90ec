import { describe, expect, test } from "vitest"
import { newAccount, shared } from "./app.ts"
import { claimedContainer, containerOf } from "./container.ts"
import { defaults, newAgent, newTask } from "./make.ts"

// What a task overrides is what its container is told to do, and nothing else of it changes.

const app = shared()
const account = await newAccount(app, { creditUsd: 100 })

const bundleOf = async (task: object = {}) => {
  const container = await claimedContainer(app, account, { task })
  return (await container.claim()).body.claim.bundle
}

const standing = { agent: expect.any(Object), channel: expect.any(String) }
const plain = await bundleOf()

describe("an override reaches the container", () => {
  test.each<[string, object, object]>([
    ["basePrompt", { basePrompt: "Answer in verse." }, { base_prompt: "Answer in verse." }],
    [
      "model",
      { model: "claude-opus-4-5" },
      { execution: { ...plain.execution, model: "claude-opus-4-5", weak_model: "claude-opus-4-5" } },
    ],
    ["weakModel", { weakModel: "haiku" }, { execution: { ...plain.execution, weak_model: "haiku" } }],
    ["provider", { provider: "openai" }, { execution: { ...plain.execution, provider: "openai" } }],
    [
      "maxRuntimeSeconds, maxRuntimePerTurnSeconds and softFinishAfterSeconds",
      { maxRuntimeSeconds: 61, maxRuntimePerTurnSeconds: 31, softFinishAfterSeconds: 32 },
      {
        limits: {
          ...plain.limits,
          max_runtime_seconds: 61,
          max_runtime_per_turn_seconds: 31,
          soft_finish_after_seconds: 32,
        },
        time_left_seconds: 61,
      },
    ],
    [
      "maxRuntimeSeconds with a fraction",
      { maxRuntimeSeconds: 600.5 },
      { limits: { ...plain.limits, max_runtime_seconds: 600.5 }, time_left_seconds: 600.5 },
    ],
    [
      "nothing of runtime, providerApiKey and sessionTtlSeconds, which are not its business",
      { runtime: "pi", providerApiKey: "sk-task", sessionTtlSeconds: 61 },
      {},
    ],
    [
      "hibernation",
      { hibernationEnabled: false, maxTimePerHibernationCycle: 62, maxAccumulatedTime: 63 },
      { limits: { ...plain.limits, hibernation: { enabled: false, cycle_seconds: 62, left_seconds: 63 } } },
    ],
    [
      "outputPolicy",
      { outputPolicy: { mode: "named", files: [{ name: "a.md", description: "It." }] } },
      { output_policy: { mode: "named", files: [{ name: "a.md", description: "It." }] } },
    ],
  ])("%s", async (_, overrides, expected) => {
    expect(await bundleOf({ overrides })).toEqual({ ...plain, ...standing, ...expected })
  })

  test("runtimeRegion: it runs there", async () => {
    const { arn } = await claimedContainer(app, account, { task: { overrides: { runtimeRegion: "eu" } } })
    expect(arn).toContain(":eu-central-1:")
  })

  test("internetAccess: false is refused where the stack cannot keep it", async () => {
    const agent = await newAgent(account)
    const { status, body } = await account.send(`POST /agents/${agent.id}/tasks`, {
      instructions: "Write.",
      overrides: { internetAccess: false },
    })
    expect(status).toBe(422)
    expect(body.error.code).toBe("internet_access_required")
  })
})

describe("a version", () => {
  test("is what a task that names it runs, when the agent has long another", async () => {
    const agent = await newAgent(account)
    await account.send(`PATCH /agents/${agent.id}`, { basePrompt: "Other.", defaults: defaults({ model: "other" }) })
    const task = await newTask(account, agent.id, { versionId: agent.currentVersion.id })
    const { body } = await (await containerOf(app, account.accountId, task)).claim()
    expect(body.claim.bundle).toEqual({ ...plain, ...standing })
  })

  test("stays what a running task runs, through every change of the agent", async () => {
    const container = await claimedContainer(app, account)
    const before = (await container.claim()).body.claim.bundle
    const agent = `/agents/${container.task.agentId}`
    const change = {
      name: "Changed",
      basePrompt: "Other.",
      runtime: { containerImage: "alpine:3" },
      defaults: defaults({ model: "other" }),
    }
    expect((await account.send(`PATCH ${agent}`, change)).status).toBe(200)
    expect((await account.send(`DELETE ${agent}`)).status).toBe(204)
    expect((await container.claim()).body.claim.bundle).toEqual(before)
  })
})
