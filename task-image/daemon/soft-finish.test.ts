import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { expect, test } from "vitest"
import { startStage } from "../test/stage.ts"

test("an agent at work is told to finish up when its tools have answered, and has the last word", async () => {
  const waitForFile = { tool: "bash", args: { command: "until [ -e go ]; do sleep 0.02; done; echo went" } }
  const stage = await startStage({
    bundle: { limits: { soft_finish_after_seconds: 60 } },
    script: [{ blocks: [waitForFile] }, { blocks: [{ text: "I finished early." }] }],
  })
  await stage.untilAsked(0)
  await stage.move(61)
  await stage.until(() => stage.printed().includes("Asking the agent to finish up"))
  await writeFile(join(stage.workspace, "go"), "")

  expect(await stage.ended, stage.printed()).toBe(0)
  expect(stage.api.seen.completed).toEqual({ result: "I finished early." })
  expect(JSON.stringify(stage.model.requests[1]?.body.messages)).toMatch(/Your time is almost over: in 5\d(\.\d)? minutes/)
})
