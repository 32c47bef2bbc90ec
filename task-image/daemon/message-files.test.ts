import { stat } from "node:fs/promises"
import { join } from "node:path"
import { expect, test } from "vitest"
import { startStage } from "../test/stage.ts"
import { autonomous, bash, conversation, message, said } from "../test/turns.ts"

test("a message whose file is on its way when the turn ends is told once, with one copy of the file", async () => {
  const [turnEnds, fileComes] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const stage = await startStage({
    files: { file_a: "blue" },
    bundle: { turn: autonomous(2, message(1, "Go on by yourself.")) },
    script: [{ ...said("Finished."), before: turnEnds.promise }, bash("ls input"), said("In blue, then.")],
  })
  await stage.untilAsked(0)
  let transfers = 0
  stage.api.play.transfer = async (id) => {
    if (id === "file_a" && transfers++ === 0) await fileComes.promise
  }
  const file = { id: "file_a", filename: "colour.txt", size_bytes: 4 }
  stage.api.play.turn = autonomous(2, message(1, "Go on by yourself."), message(2, "In this colour, please.", [file]))
  stage.api.play.signals = [{ kind: "message" }]
  await stage.move(31)
  await stage.until(() => transfers === 1)
  stage.api.play.signals = []
  stage.api.play.refuse.complete = { code: "message_waiting", message: "A message has come." }
  turnEnds.resolve()
  await stage.until(() => transfers === 2)
  fileComes.resolve()
  expect(await stage.ended, stage.printed()).toBe(0)
  expect(JSON.stringify(stage.model.requests.at(-1)?.body.messages).split("In this colour, please.")).toHaveLength(2)
  expect(stage.said("agent_stdout").join("\n")).toMatch(/▸ bash ls input\n +colour\.txt\n/)
  expect(stage.api.seen.completed).toEqual({ result: "In blue, then." })
  expect(stage.printed()).not.toContain("has not reached the agent yet")
})

test("a file of a message never goes through a link that the agent has made of input/", async () => {
  const stage = await startStage({
    bundle: { turn: conversation(1, message(1, "Hello.")) },
    files: { file_a: "theirs\n" },
    script: [
      bash("rm -rf input && mkdir elsewhere && ln -s elsewhere input"),
      said("Hello."),
      bash("cat input/*"),
      said("Read."),
    ],
  })
  await stage.until(() => stage.api.seen.turns.length === 1)
  stage.api.play.turn = conversation(2, message(2, "Look.", [{ id: "file_a", filename: "../../data.csv", size_bytes: 7 }]))
  await stage.until(() => stage.api.seen.turns.length === 2)
  expect(JSON.stringify(stage.model.requests[3]?.body.messages)).toContain("theirs")
  await expect(stat(join(stage.workspace, "elsewhere/data.csv"))).rejects.toThrow("ENOENT")
})
