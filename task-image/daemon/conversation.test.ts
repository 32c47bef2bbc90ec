import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { runOfTest, startStage } from "../test/stage.ts"
import { autonomous, bash, conversation, message, said } from "../test/turns.ts"

const hibernate = (args: object) => ({ blocks: [{ tool: "hibernate", args }] })

const waiting = { code: "message_waiting", message: "A message has come." }

type Stage = Awaited<ReturnType<typeof startStage>>
const asked = ({ model }: Stage, n: number) => JSON.stringify(model.requests[n]?.body?.messages)

/** What the containers after this one find. */
const successor = ({ api }: Stage) => ({
  runId: `${runOfTest}_2`,
  objects: api.objects,
  checkpoint: { segments: api.seen.segments },
})

test("a conversation: turn after turn by the same agent, each with its message, what it took, its files and a checkpoint", async () => {
  const stage = await startStage({
    bundle: { turn: conversation(1, message(1, "Make a plan.")), warm: { turn_seconds: 5, run_seconds: 60 } },
    files: { file_a: "a,b\n" },
    script: [
      bash("echo plan > output/plan.md; echo mine > notes.txt"),
      said("The plan is ready."),
      bash("cat input/data.csv notes.txt"),
      said("Done."),
    ],
  })
  await stage.until(() => stage.api.seen.turns.length === 1)
  expect(stage.api.seen.turns[0]).toMatchObject({
    turn_number: 1,
    messages: [{ content: "The plan is ready.", usage: { input_tokens: 200, output_tokens: 40 }, cost_usd: expect.any(Number) }],
  })
  expect(stage.api.seen.live[0]).toEqual({ turn_number: 1, text: expect.stringMatching(/^The( plan is ready\.)?/) })
  expect(stage.api.seen.outputs.get("plan.md")?.text).toBe("plan\n")
  expect(stage.api.seen.segments).toEqual([`${runOfTest}/s1`])

  stage.api.play.turn = conversation(2, message(2, "Carry it out.", [{ id: "file_a", filename: "data.csv", size_bytes: 4 }]))
  await stage.until(() => stage.api.seen.turns.length === 2)
  expect(asked(stage, 2)).toContain("Carry it out.")
  expect(asked(stage, 2)).toContain("input/data.csv")
  expect(asked(stage, 3)).toContain("a,b\\nmine")
  expect(stage.api.seen.segments).toEqual([`${runOfTest}/s1`, `${runOfTest}/s2`])

  expect(await stage.ended, stage.printed()).toBe(0)
  expect(stage.api.seen.released).toEqual({ to: "await_input" })
  expect(stage.said("daemon").filter((line) => line.startsWith("Starting pi"))).toHaveLength(1)
  expect(stage.api.seen.violations).toEqual([])
  expect(stage.api.seen.segments).toHaveLength(2)
})

test("the next container has workspace and memory of the one before, and a message is told once", async () => {
  const first = await startStage({
    bundle: { turn: conversation(1, message(1, "Remember the word dormouse.")), warm: { turn_seconds: 1, run_seconds: 60 } },
    script: [bash("echo kept > notes.txt; echo home > ~/.profile"), said("I will.")],
  })
  expect(await first.ended, first.printed()).toBe(0)
  const { runId, objects, checkpoint } = successor(first)
  const second = await startStage({
    runId,
    objects,
    bundle: {
      checkpoint,
      turn: conversation(2, message(1, "Remember the word dormouse."), message(2, "Which word?")),
      warm: { turn_seconds: 1, run_seconds: 60 },
    },
    script: [bash("cat notes.txt ~/.profile"), said("Dormouse.")],
  })
  expect(await second.ended, second.printed()).toBe(0)
  expect(asked(second, 0).match(/Remember the word dormouse/g)).toHaveLength(1)
  expect(asked(second, 0)).toContain("Which word?")
  expect(asked(second, 1)).toContain("kept\\nhome")
  expect(second.api.seen.turns[0]?.messages?.[0]?.content).toBe("Dormouse.")
  expect(second.api.seen.violations).toEqual([])
})

test("a disk that takes nothing more does not end a conversation, and what was said is remembered", async () => {
  const TMPDIR = await mkdtemp(join(tmpdir(), "dormouse-full-"))
  await chmod(TMPDIR, 0o755)
  onTestFinished(() => rm(TMPDIR, { recursive: true }))
  const stage = await startStage({
    environment: { TMPDIR },
    bundle: { turn: conversation(1, message(1, "Remember the word dormouse.")), warm: { turn_seconds: 5, run_seconds: 60 } },
    script: [said("I will."), said("Dormouse.")],
  })
  await stage.until(() => stage.api.seen.turns.length === 1)
  // A file in the place of the daemon's own folder is as good as a full disk, and needs none.
  const memory = (await readdir(TMPDIR)).find((name) => name.startsWith("dormouse-memory-"))!
  await rm(join(TMPDIR, memory), { recursive: true })
  await writeFile(join(TMPDIR, memory), "")
  stage.api.play.turn = conversation(2, message(2, "Which word?"))
  expect(await stage.ended, stage.printed()).toBe(0)
  expect(stage.api.seen.failed).toBeUndefined()
  expect(stage.api.seen.turns.map(({ messages }) => messages[0]?.content)).toEqual(["I will.", "Dormouse."])

  const { runId, objects, checkpoint } = successor(stage)
  const turn = conversation(2, message(2, "Which word?"))
  const next = await startStage({ runId, objects, bundle: { turn, checkpoint }, script: [said("As I said.")] })
  await next.until(() => next.api.seen.turns.length === 1)
  expect(asked(next, 0).split("Which word?")).toHaveLength(2)
})

test("a turn that fails is said to the person, and the conversation goes on", async () => {
  const stage = await startStage({
    bundle: { turn: conversation(1, message(1, "Hello.")) },
    script: [{ status: 401, error: "invalid x-api-key" }, said("Hello again.")],
  })
  await stage.until(() => stage.api.seen.turns.length === 1)
  expect(stage.api.seen.turns[0]?.messages?.[0]?.content).toContain("The model provider refused the API key (401)")
  stage.api.play.turn = conversation(2, message(2, "Once more."))
  await stage.until(() => stage.api.seen.turns.length === 2)
  expect(stage.api.seen.turns[1]?.messages?.[0]?.content).toBe("Hello again.")
})

test("a message that comes in the very moment of leaving is the next turn", async () => {
  const stage = await startStage({
    bundle: { turn: conversation(1, message(1, "Hello.")), warm: { turn_seconds: 1, run_seconds: 60 } },
    script: [said("Hello."), said("Still here.")],
  })
  stage.api.play.refuse.release = waiting
  stage.api.play.trouble = (path) => {
    if (path.endsWith("/release")) stage.api.play.turn = conversation(2, message(2, "Wait!"))
    return undefined
  }
  expect(await stage.ended, stage.printed()).toBe(0)
  expect(stage.api.seen.turns.map(({ turn_number }) => turn_number)).toEqual([1, 2])
  expect(stage.api.seen.released).toEqual({ to: "await_input" })
})

test("the agent that works by itself hears at its next step what a person says, and ends with all of it", async () => {
  const heard = Promise.withResolvers<void>()
  const stage = await startStage({
    bundle: { turn: autonomous(2, message(1, "Go on by yourself.")) },
    script: [bash("true"), { ...bash("true"), before: heard.promise }, said("In blue, then.")],
  })
  await stage.untilAsked(1)
  stage.api.play.turn = autonomous(2, message(1, "Go on by yourself."), message(2, "In blue, please."))
  let asks = 0
  stage.api.play.trouble = (path) => (path.includes("recv") && asks++ === 0 ? "hangup" : undefined)
  await stage.move(31)
  await stage.until(() => asks === 1)
  // While it asks once more, the next renewal of the lease tells of the same message.
  await stage.move(31)
  await stage.until(() => asks > 1)
  // Known by now, it is told again and not asked for again.
  const [before, renewed] = [asks, stage.api.seen.renewedBy.length]
  const renewals = async () => {
    await stage.move(5)
    return stage.api.seen.renewedBy.length
  }
  await expect.poll(renewals, { interval: 100 }).toBeGreaterThan(renewed)
  expect(asks).toBe(before)
  heard.resolve()
  expect(await stage.ended, stage.printed()).toBe(0)
  expect(asked(stage, 0)).toContain("Go on by yourself.\\n\\nFrom now on you work by yourself")
  expect(asked(stage, 2).split("In blue, please.")).toHaveLength(2)
  expect(stage.api.seen.completed).toEqual({ result: "In blue, then." })
  expect(stage.api.seen.lastMessages).toMatchObject([{ content: "In blue, then." }])
})

test.each([
  ["with a message queued", [message(2, "Carry it out.")]],
  ["without a word", []],
])("handed over in the middle of a turn %s, the agent ends it as it began and goes on by itself", async (_, queued) => {
  const handedOver = Promise.withResolvers<void>()
  const stage = await startStage({
    bundle: { turn: conversation(1, message(1, "Make a plan.")) },
    script: [bash("true"), { ...said("Shall I carry out the plan?"), before: handedOver.promise }, said("Carried out.")],
  })
  await stage.untilAsked(1)
  stage.api.play.mode = "autonomous"
  stage.api.play.trouble = (path) => {
    if (path.endsWith("/turns/complete")) stage.api.play.turn = autonomous(2, ...queued)
    return undefined
  }
  await stage.move(31)
  await stage.until(() => stage.api.seen.renewedBy.length > 0)
  handedOver.resolve()
  expect(await stage.ended, stage.printed()).toBe(0)
  expect(stage.api.seen.turns).toMatchObject([
    { turn_number: 1, messages: [{ content: "Shall I carry out the plan?" }], after: 1 },
  ])
  expect(asked(stage, 2)).toContain([...queued.map(({ content }) => content), "From now on you work by yourself"].join("\\n\\n"))
  expect(stage.api.seen.completed).toEqual({ result: "Carried out." })
  expect(stage.api.seen.lastMessages).toMatchObject([{ content: "Carried out." }])
})

test("what is said to it after it was handed over is heard before its turn ends, which ends as it began", async () => {
  const stage = await startStage({
    bundle: { turn: conversation(1, message(1, "Make a plan.")), warm: { turn_seconds: 1, run_seconds: 60 } },
    script: [said("Shall I carry out the plan?"), said("In blue, then?")],
  })
  stage.api.play.mode = "autonomous"
  stage.api.play.refuse["turns/complete"] = waiting
  stage.api.play.turn = autonomous(1, message(1, "Make a plan."), message(2, "In blue, please."))
  expect(await stage.ended, stage.printed()).toBe(0)
  expect(asked(stage, 1)).toContain("In blue, please.")
  expect(stage.api.seen.turns).toMatchObject([{ turn_number: 1, messages: [{ content: "In blue, then?" }], after: 2 }])
  expect(stage.api.seen.completed).toBeUndefined()
})

test("taken back, the agent hears what was said to it at work before its turn ends", async () => {
  const stage = await startStage({
    bundle: { turn: conversation(1, message(1, "Make a plan.")), warm: { turn_seconds: 1, run_seconds: 60 } },
    script: [said("The plan is ready."), said("In blue, then.")],
  })
  stage.api.play.refuse["turns/complete"] = waiting
  stage.api.play.turn = conversation(1, message(1, "Make a plan."), message(2, "In blue, please."))
  expect(await stage.ended, stage.printed()).toBe(0)
  expect(asked(stage, 1)).toContain("In blue, please.")
  expect(stage.api.seen.turns).toMatchObject([{ turn_number: 1, messages: [{ content: "In blue, then." }], after: 2 }])
})

test("hibernation: a sleep that is too long is refused so that the agent chooses again, and it wakes with its memory and the reason", async () => {
  const stage = await startStage({
    bundle: { limits: { hibernation: { enabled: true, cycle_seconds: 3600, left_seconds: 7200 } } },
    script: [
      bash("echo half > output/half.md"),
      hibernate({ seconds: 7200, reason: "Waiting for the approval" }),
      {
        blocks: [
          { tool: "hibernate", args: { seconds: 600, reason: "Waiting for the approval" } },
          { tool: "bash", args: { command: "true" } },
        ],
      },
    ],
  })
  expect(await stage.ended, stage.printed()).toBe(0)
  expect(asked(stage, 2)).toContain("may sleep for 1 hour at most")
  expect(stage.model.requests).toHaveLength(3)
  const { released } = stage.api.seen
  expect(released).toMatchObject({ to: "hibernate", reason: "Waiting for the approval" })
  const seconds = (Date.parse((released as { until: string }).until) - Date.now()) / 1000
  expect(seconds).toBeGreaterThan(500)
  expect(seconds).toBeLessThanOrEqual(600)
  expect(stage.api.seen.outputs.get("half.md")?.text).toBe("half\n")
  expect(stage.api.seen.completed).toBeUndefined()

  const { runId, objects, checkpoint } = successor(stage)
  const wake = { cycle: 1, reason: "external_wake" as const, message: "It is approved.", slept_seconds: 300 }
  const woken = await startStage({ runId, objects, bundle: { checkpoint, wake }, script: [said("Then it is done.")] })
  expect(await woken.ended, woken.printed()).toBe(0)
  const prompt = asked(woken, 0)
  expect(prompt).toContain(
    "You are awake again after 5 minutes, because somebody woke you. The message says:\\n\\nIt is approved.",
  )
  expect(prompt).toContain("Waiting for the approval")
  expect(prompt.match(/Write a report about dormice/g)).toHaveLength(1)
  expect(await readFile(join(woken.workspace, "output/half.md"), "utf8")).toBe("half\n")
  expect(woken.api.seen.completed).toEqual({ result: "Then it is done." })
})

test.each(["before", "after"])(
  "a sleep that is granted counts, also where one is refused %s it in the same breath",
  async (when) => {
    const granted = { tool: "hibernate", args: { seconds: 600, reason: "Waiting for the build" }, id: "granted" }
    const refused = { tool: "hibernate", args: { until: "yesterday", reason: "Waiting" }, id: "refused" }
    const blocks = when === "before" ? [refused, granted] : [granted, refused]
    const stage = await startStage({ script: [{ blocks: [{ text: "I wait." }, ...blocks] }] })
    expect(await stage.ended, stage.printed()).toBe(0)
    expect(stage.api.seen.released).toMatchObject({ to: "hibernate", reason: "Waiting for the build" })
    expect(stage.api.seen.completed).toBeUndefined()
  },
)

test("where the API refuses a sleep, the agent hears why and goes on", async () => {
  const stage = await startStage({ script: [hibernate({ seconds: 600, reason: "Waiting" }), said("Then I end here.")] })
  stage.api.play.refuse.release = { code: "hibernation_too_long", message: "This task may not sleep that long." }
  expect(await stage.ended, stage.printed()).toBe(0)
  expect(asked(stage, 1)).toContain("You could not be put to sleep: This task may not sleep that long.")
  expect(stage.api.seen.released).toBeUndefined()
  expect(stage.api.seen.completed).toEqual({ result: "Then I end here." })
})

test("SIGTERM in the middle of a turn saves workspace and outputs first, and the next attempt goes on from there", async () => {
  const stage = await startStage({
    script: [
      bash("echo half > output/half.md; echo mine > notes.txt"),
      { ...said("never"), before: new Promise<void>(() => undefined) },
    ],
  })
  await stage.untilAsked(1)
  stage.child.kill("SIGTERM")
  expect(await stage.ended, stage.printed()).toBe(143)
  expect(stage.api.seen.outputs.get("half.md")?.text).toBe("half\n")
  expect([stage.api.seen.completed, stage.api.seen.failed, stage.api.seen.released]).toEqual([undefined, undefined, undefined])

  const { runId, objects, checkpoint } = successor(stage)
  const next = await startStage({ runId, objects, bundle: { checkpoint }, script: [bash("cat notes.txt"), said("Finished.")] })
  expect(await next.ended, next.printed()).toBe(0)
  expect(asked(next, 0)).toContain("The container in which you were working was replaced.")
  expect(asked(next, 1)).toContain("mine")
  expect(next.api.seen.completed).toEqual({ result: "Finished." })
})

test("when the credit is used up the run is saved and paused, not failed", async () => {
  const stage = await startStage({
    script: [bash("echo mine > notes.txt"), { ...said("never"), before: new Promise<void>(() => undefined) }],
  })
  await stage.untilAsked(1)
  stage.api.play.signals = [{ kind: "pause" }]
  await stage.move(31)
  expect(await stage.ended, stage.printed()).toBe(0)
  expect(stage.api.seen.released).toMatchObject({ to: "pause" })
  expect(stage.api.seen.segments).toHaveLength(1)
})

test.each(["message_waiting", "turn_running"])(
  "without credit for the message that comes in the very moment of leaving (%s), its turn waits and is not lost",
  async (code) => {
    const stage = await startStage({
      bundle: { turn: conversation(1, message(1, "Hello.")), warm: { turn_seconds: 60, run_seconds: 60 } },
      script: [said("Hello.")],
    })
    await stage.until(() => stage.api.seen.turns.length === 1)
    stage.api.play.refuse.release = { code, message: "There is more to do." }
    stage.api.play.signals = [{ kind: "pause" }]
    expect(await stage.ended, stage.printed()).toBe(0)
    expect(stage.api.seen.released).toEqual({ to: "pause", messages: [] })
  },
)

test("a cancelled conversation ends at once while it waits for a message", async () => {
  const stage = await startStage({ bundle: { turn: conversation(1, message(1, "Hello.")) }, script: [said("Hello.")] })
  await stage.until(() => stage.api.seen.turns.length === 1)
  stage.api.play.signals = [{ kind: "cancel" }]
  expect(await stage.ended, stage.printed()).toBe(0)
  expect(stage.api.seen.failed).toMatchObject({ error: "The task was cancelled." })
})

test("where the account's checkpoint storage is full, the run fails with that sentence and its outputs are kept", async () => {
  const stage = await startStage({
    bundle: { turn: conversation(1, message(1, "Hello.")) },
    script: [bash("echo half > output/half.md"), said("Hello.")],
  })
  stage.api.play.trouble = (path) => (path.endsWith("checkpoints/prepare") ? 422 : undefined)
  expect(await stage.ended, stage.printed()).toBe(0)
  expect(stage.api.seen.failed?.error).toBe("The workspace could not be saved: Trouble was asked for.")
  expect(stage.api.seen.outputs.get("half.md")?.text).toBe("half\n")
})
