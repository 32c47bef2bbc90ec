import { expect, test } from "vitest"
import { fastForward, runOfTest, startStage } from "../test/stage.ts"
import { bash, said } from "../test/turns.ts"
import type { Turn } from "./api.ts"

// An API that is away for a moment, or for longer than anybody asks.

const created_at = "2026-11-25T12:00:00.000Z"
const plan = { id: "file_a", filename: "plan.txt", size_bytes: 4 }
const first = { id: "msg_1", sequence: 1, content: "Make a plan.", files: [plan], created_at }
const conversation: Turn = { number: 1, mode: "conversation", messages: [first] }
const takenOver: Turn = { number: 2, mode: "autonomous", messages: [] }

const patient = { limits: { model_idle_seconds: 80_000, max_runtime_seconds: 80_000 } }
const troubles = [503, 429, "hangup", "lost answer"] as const

type Stage = Awaited<ReturnType<typeof startStage>>

/** Has every call of the container meet the trouble the first time. Answers the calls that have. */
const disturb = ({ api }: Stage, trouble: (typeof troubles)[number]) => {
  const met = new Set<string>()
  api.play.trouble = (path) => {
    const call = path.replace(/^\/agent\/(tasks\/run_\w+\/|tasks\/|channels\/\w+\/)|\?.*$/g, "").replace(/^files\/.*/, "files")
    // What asks for models has a patience of its own.
    if (call.includes("/models/") || met.has(call)) return undefined
    met.add(call)
    // A person hands the task over in this very moment.
    if (call === "turns/complete") api.play.mode = "autonomous"
    return trouble
  }
  return met
}

test.each(troubles)(
  "whatever a container asks may meet trouble once (%s), and the task ends as it would have",
  async (trouble) => {
    const stage = await startStage({
      bundle: { ...patient, turn: conversation },
      files: { file_a: "plan" },
      sources: {},
      script: [
        bash("cat input/plan.txt > output/plan.md; echo mine > notes.txt"),
        said("The plan is ready."),
        { blocks: [{ tool: "hibernate", args: { seconds: 3600, reason: "Waiting for the spring" } }] },
      ],
    })
    const met = disturb(stage, trouble)
    stage.api.play.turn = takenOver
    expect(await fastForward(stage), stage.printed()).toBe(0)
    const { turns, outputs, released, segments, failed, completed } = stage.api.seen
    expect(turns[0]).toMatchObject({ turn_number: 1, messages: [{ content: "The plan is ready." }], after: 1 })
    expect(turns.map(({ turn_number }) => turn_number)).toEqual(trouble === "lost answer" ? [1, 1] : [1])
    expect(outputs.get("plan.md")?.text).toBe("plan")
    expect(released).toMatchObject({ to: "hibernate", reason: "Waiting for the spring" })
    expect([failed, completed]).toEqual([undefined, undefined])

    const woken = await startStage({
      runId: `${runOfTest}_2`,
      objects: stage.api.objects,
      bundle: {
        ...patient,
        turn: takenOver,
        checkpoint: { segments },
        wake: { cycle: 1, reason: "time", message: null, slept_seconds: 3600 },
      },
      script: [bash("cat notes.txt > output/notes.md"), said("Planted.")],
    })
    const metLater = disturb(woken, trouble)
    expect(await fastForward(woken), woken.printed()).toBe(0)
    expect(woken.api.seen.completed).toEqual({ result: "Planted." })
    expect(woken.api.seen.lastMessages).toMatchObject([{ content: "Planted." }])
    expect(woken.api.seen.outputs.get("notes.md")?.text).toBe("mine\n")
    expect([...met.union(metLater)].sort()).toEqual(
      "checkpoints/addresses checkpoints/commit checkpoints/prepare claim-next complete delta files heartbeat logs outputs/complete outputs/prepare recv release sources turns/complete usage".split(
        " ",
      ),
    )
    expect([...stage.api.seen.violations, ...woken.api.seen.violations]).toEqual([])
  },
)

test.each(troubles)("what asks at the end of a turn whose turn it is asks again (%s)", async (trouble) => {
  let asks = 0
  const stage = await startStage({
    bundle: { turn: { ...takenOver, messages: [{ ...first, files: [] }] } },
    script: [said("A long and costly answer.")],
  })
  stage.api.play.trouble = (path) => (path.endsWith("heartbeat") && asks++ === 0 ? trouble : undefined)
  expect(await stage.ended, stage.printed()).toBe(0)
  expect(asks).toBe(2)
  expect(stage.api.seen.completed).toEqual({ result: "A long and costly answer." })
})

test.each([503, "hangup"] as const)("an API that is away for longer (%s) ends the attempt and not the task", async (trouble) => {
  const turn = { ...conversation, messages: [{ ...first, files: [] }] }
  const stage = await startStage({
    bundle: { ...patient, turn },
    script: [bash("echo mine > notes.txt"), said("The plan is ready.")],
  })
  stage.api.play.trouble = (path) => (path.endsWith("/turns/complete") ? trouble : undefined)
  expect(await fastForward(stage), stage.printed()).toBe(1)
  const { failed, turns, segments } = stage.api.seen
  expect([failed, turns]).toEqual([undefined, []])

  const next = await startStage({
    runId: `${runOfTest}_2`,
    objects: stage.api.objects,
    bundle: { turn, checkpoint: { segments }, warm: { turn_seconds: 1, run_seconds: 60 } },
    script: [bash("cat notes.txt"), said("The plan is ready after all.")],
  })
  expect(await next.ended, next.printed()).toBe(0)
  expect(JSON.stringify(next.model.requests[1]?.body.messages)).toContain("mine\\n")
  expect(next.api.seen.turns).toMatchObject([{ messages: [{ content: "The plan is ready after all." }] }])
})

test("an API that fails at the end of the run alone is asked for two minutes: then the attempt is lost, and the task goes on", async () => {
  const stage = await startStage({ bundle: patient, script: [said("Done.")] })
  const isEnd = (path: string) => path.endsWith("/complete")
  stage.api.play.trouble = (path) => (isEnd(path) ? 500 : undefined)
  expect(await fastForward(stage), stage.printed()).toBe(1)
  expect(stage.api.seen.requests.filter(isEnd)).toHaveLength(10)
  expect(stage.api.seen.failed).toBeUndefined()
})

test("a checkpoint that the API cannot take for two minutes costs the attempt, and not the conversation", async () => {
  const stage = await startStage({
    bundle: { ...patient, turn: conversation },
    files: { file_a: "plan" },
    script: [said("Planned.")],
  })
  stage.api.play.trouble = (path) => (path.endsWith("checkpoints/prepare") ? 503 : undefined)
  expect(await fastForward(stage), stage.printed()).toBe(1)
  expect([stage.api.seen.failed, stage.api.seen.turns]).toEqual([undefined, []])
})
