import { expect, test } from "vitest"
import { startStage } from "../test/stage.ts"

// What holds where the agent can be kept from the daemon: by another user, or by bubblewrap.

const bash = (command: string) => ({ tool: "bash", args: { command } })
const done = { blocks: [{ text: "Done." }] }

test("the agent cannot look into the daemon", async () => {
  const stage = await startStage({
    script: () => {
      const command = `cat /proc/${stage.child.pid}/environ || echo hidden`
      return stage.model.requests.length === 1 ? { blocks: [bash(command)] } : done
    },
  })

  expect(await stage.ended, stage.printed()).toBe(0)
  expect(stage.said("agent_stdout").join("\n")).toMatch(/(Permission denied|No such file)[\s\S]*hidden/)
  expect(stage.said("daemon").join("\n")).not.toContain("not isolated")
})

test("the agent cannot end the daemon, nor open it to a debugger", async () => {
  const stage = await startStage({
    script: () => {
      const kill = `kill -9 ${stage.child.pid} || kill -USR1 ${stage.child.pid} || echo spared`
      return stage.model.requests.length === 1 ? { blocks: [bash(kill)] } : done
    },
  })

  expect(await stage.ended, stage.printed()).toBe(0)
  const said = stage.said("agent_stdout").join("\n")
  // Errors and outputs reach the log on two ways, in whatever order.
  expect(said).toMatch(/not permitted|No such process/)
  expect(said).toMatch(/^ *spared$/m)
})

test("where the daemon is the first in its container nothing of the agent's user outlives a turn, whatever it has taken off", async () => {
  const container = "bwrap --dev-bind / / --proc /proc --unshare-pid --as-pid-1 --die-with-parent --cap-add ALL".split(" ")
  const message = { id: "msg_1", sequence: 1, content: "Hello.", files: [], created_at: "2026-11-25T12:00:00.000Z" }
  const looked = Promise.withResolvers<void>()
  const stage = await startStage({
    container,
    bundle: { turn: { number: 1, mode: "conversation", messages: [message] } },
    script: [
      { blocks: [bash("(ulimit -x 7; exec setsid env -i sleep 1000) > /dev/null 2>&1 &")] },
      { ...done, before: looked.promise },
    ],
  })
  await stage.untilAsked(1)
  expect(stage.agentProcesses()).toHaveLength(2)
  looked.resolve()

  await stage.until(() => stage.api.seen.turns.length === 1)
  expect(stage.agentProcesses()).toHaveLength(1)
})
