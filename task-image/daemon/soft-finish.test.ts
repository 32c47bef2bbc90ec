import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { expect, test } from "vitest"
import { startStage } from "../test/stage.ts"

const waitForFile = { tool: "bash", args: { command: "until [ -e go ]; do sleep 0.02; done; echo went" } }
const script = [{ blocks: [waitForFile] }, { blocks: [{ text: "I finished early." }] }]
const limits = { max_runtime_seconds: 3600, soft_finish_after_seconds: 3000 }

type Stage = Awaited<ReturnType<typeof startStage>>

/** How often the agent's log says that it was asked, up to now. */
const timesAsked = ({ printed }: Stage) => printed().split("Asking the agent to finish up").length - 1

/** Lets the tool of the agent answer. Answers what the model was told of the time, each time that it was. */
const finish = async (stage: Stage) => {
  await writeFile(join(stage.workspace, "go"), "")
  expect(await stage.ended, stage.printed()).toBe(0)
  expect(stage.api.seen.completed).toEqual({ result: "I finished early." })
  return JSON.stringify(stage.model.requests[1]?.body.messages).match(/Your time is almost over: in [\d.]+ minutes/g)
}

test("an agent at work is told to finish up when its tools have answered, and has the last word", async () => {
  const stage = await startStage({ bundle: { limits: { ...limits, soft_finish_after_seconds: 60 } }, script })
  await stage.untilAsked(0)
  await stage.move(61)
  await stage.until(() => timesAsked(stage) === 1)
  expect(await finish(stage)).toEqual([expect.stringMatching(/in 5\d(\.\d)? minutes/)])
})

test("a container that comes when the time to finish has begun tells its agent so at once", async () => {
  const stage = await startStage({ bundle: { limits, time_left_seconds: 400 }, script })
  await stage.until(() => timesAsked(stage) === 1)
  await stage.untilAsked(0)
  expect(await finish(stage)).toEqual([expect.stringMatching(/in 6(\.\d)? minutes/)])
})

test("where the API does not say yet what is left, a container has all of it until a renewal of its lease says otherwise", async () => {
  const stage = await startStage({ bundle: { limits, time_left_seconds: undefined }, script })
  stage.api.play.runtimeSeconds = 400
  await stage.untilAsked(0)
  expect(timesAsked(stage)).toBe(0)
  await stage.move(31)
  await stage.until(() => timesAsked(stage) === 1)
  expect(await finish(stage)).toHaveLength(1)
})

test("an agent is told to finish up when the API says that less is left than was thought, and once", async () => {
  const stage = await startStage({ bundle: { limits }, script })
  await stage.untilAsked(0)
  expect(timesAsked(stage)).toBe(0)
  stage.api.play.runtimeSeconds = 400
  const { renewedBy } = stage.api.seen
  for (const _ of [1, 2, 3]) {
    const seen = renewedBy.length
    await stage.move(31)
    await stage.until(() => renewedBy.length > seen)
  }
  await stage.until(() => timesAsked(stage) === 1)
  expect(await finish(stage)).toHaveLength(1)
})
