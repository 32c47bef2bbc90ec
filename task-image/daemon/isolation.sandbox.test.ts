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
