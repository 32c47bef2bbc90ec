import { describe, expect, test } from "vitest"
import { as, newAccount, shared } from "#test/app.ts"
import { items } from "#test/aws.ts"
import { type Container, claimedContainer, hashOf, newContainer, newRunToken } from "#test/container.ts"
import { defaults } from "#test/make.ts"

const app = shared()
const account = await newAccount(app, { creditUsd: 100 })

const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
const codeOf = ({ status, body }: { status: number; body: { error?: { code: string } } }) => [status, body.error?.code]
const read = async ({ task }: Container) => (await account.send(`GET /tasks/${task.id}`)).body
const stored = ({ task }: Container, prefix: string) => items(app, `${account.accountId}#${task.id}`, prefix)
const eventsOf = async (container: Container) =>
  (await stored(container, "event#")).map(({ sequence, type, status }) => [sequence, type, status])

const byText = (a: string, b: string) => (a < b ? -1 : 1)

describe("POST /agent/tasks/claim-next", () => {
  test("200: answers the lease and everything that the work needs, and the task is running", async () => {
    const basePrompt = "Be exact. ".repeat(5_000)
    const outputPolicy = { mode: "named", files: [{ name: "report.md", description: "The report" }] }
    const limits = { maxRuntimeSeconds: 900, maxRuntimePerTurnSeconds: 300, softFinishAfterSeconds: 600 }
    const container = await newContainer(app, account, {
      agent: { basePrompt, defaults: defaults({ ...limits, outputPolicy, weakModel: "haiku" }) },
      task: { instructions: "Write it." },
    })
    const { task, runId, runToken } = container
    const { status, body } = await container.claim()
    expect(status).toBe(200)
    expect(body.claim).toEqual({
      lease: {
        run_id: runId,
        task_id: task.id,
        status: "claimed",
        claim_token_hash: hashOf(runToken),
        heartbeat_at: time,
        lease_until: time,
      },
      run: { id: runId, task_id: task.id, attempt: 1, claimed_at: time },
      task: { id: task.id, title: "Write it.", status: "running" },
      bundle: {
        agent: { id: task.agentId, name: "Reporter", version_id: task.agentVersionId },
        base_prompt: basePrompt,
        instructions: "Write it.",
        turn: { number: 1, mode: "autonomous", messages: [] },
        wake: null,
        channel: task.id,
        checkpoint: null,
        has_sources: false,
        warm: { turn_seconds: 120, run_seconds: 3_600 },
        execution: { provider: "anthropic", model: "claude-sonnet-4-5", weak_model: "haiku" },
        limits: {
          max_runtime_seconds: 900,
          max_runtime_per_turn_seconds: 300,
          soft_finish_after_seconds: 600,
          model_idle_seconds: 300,
          hibernation: { enabled: true, cycle_seconds: 604_800, left_seconds: 2_592_000 },
        },
        time_left_seconds: 900,
        output_policy: outputPolicy,
        input_files: [],
        reference_files: [],
      },
    })
    const { lease, run } = body.claim
    expect(Date.parse(lease.lease_until) - Date.parse(lease.heartbeat_at)).toBe(120_000)
    expect(await read(container)).toMatchObject({
      status: "running",
      startedAt: run.claimed_at,
      completedAt: null,
      costUsd: null,
      tokenUsage: { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0, costUsd: 0 },
    })
  })

  test("200: nothing that the container is started with or told holds a key of the customer's", async () => {
    const container = await newContainer(app, account, { agent: { defaults: defaults({ providerApiKey: "sk-not-for-you" }) } })
    const { body } = await container.claim()
    expect(Object.keys(container.environment).toSorted(byText)).toEqual([
      "DORMOUSE_API_URL",
      "DORMOUSE_CLAIM_TOKEN",
      "DORMOUSE_RUN_ID",
    ])
    expect(container.environment).toMatchObject({ DORMOUSE_API_URL: `${app.apiUrl}/api`, DORMOUSE_RUN_ID: container.runId })
    expect(JSON.stringify([body, container.environment])).not.toContain("sk-not-for-you")
  })

  test("200: the same run token gets the same answer again, and the task is started once", async () => {
    const container = await newContainer(app, account)
    const [first, second] = await Promise.all([container.claim(), container.claim()])
    expect(first.status).toBe(200)
    expect(second.body).toEqual(first.body)
    expect((await container.claim()).body).toEqual(first.body)
    expect((await eventsOf(container)).map(([, type]) => type)).toEqual(["task.created", "task.turn.queued", "task.turn.started"])
  })

  test("409 already_claimed: another run token comes too late, and opens nothing", async () => {
    const container = await claimedContainer(app, account)
    const late = newRunToken()
    expect(codeOf(await container.claim(late))).toEqual([409, "already_claimed"])
    expect(codeOf(await as(app, late).send(`POST /agent/tasks/${container.runId}/heartbeat`, {}))).toEqual([401, "unauthorized"])
    expect((await container.send("heartbeat", {})).status).toBe(200)
  })

  test("409 lease_lost: a run that has ended is not taken up again", async () => {
    const container = await claimedContainer(app, account)
    await container.send("complete", { result: null })
    expect(codeOf(await container.claim())).toEqual([409, "lease_lost"])
  })

  test("401 unauthorized: only the claim token itself opens the claim, and it opens nothing else", async () => {
    const container = await claimedContainer(app, account)
    const { claimToken, runToken, runId } = container
    const claimWith = (token: string) =>
      as(app, token).send("POST /agent/tasks/claim-next", { run_token_hash: hashOf(newRunToken()) })
    const last = claimToken.at(-1) === "A" ? "B" : "A"
    for (const token of [`${claimToken.slice(0, -1)}${last}`, `${claimToken}.x`, runToken, account.apiKey, runId]) {
      expect(codeOf(await claimWith(token))).toEqual([401, "unauthorized"])
    }
    const asRun = await as(app, claimToken).send(`POST /agent/tasks/${runId}/heartbeat`, {})
    expect(codeOf(asRun)).toEqual([401, "unauthorized"])
    expect(codeOf(await as(app, runToken).send("GET /account"))).toEqual([401, "unauthorized"])
  })

  test.each(["", "A".repeat(64), "a".repeat(63), "z".repeat(64)])(
    "422 invalid_request: %j is no hash of a run token",
    async (run_token_hash) => {
      const { claimToken } = await newContainer(app, account)
      const answer = await as(app, claimToken).send("POST /agent/tasks/claim-next", { run_token_hash })
      expect(codeOf(answer)).toEqual([422, "invalid_request"])
    },
  )
})
