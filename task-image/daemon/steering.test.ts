import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { startModelServer } from "../../test/model-server.ts"
import { said } from "../test/turns.ts"
import { agentEnvironment, startAgent } from "./agent.ts"

// What is said to an agent while it works. Only the agent's own process knows whether its model was told.

test("what is said after the last word counts as unheard, and is not told in the next turn: it is said again then", async () => {
  const cwd = mkdtempSync(join(tmpdir(), "dormouse-steering-"))
  const working = Promise.withResolvers<void>()
  const work = { blocks: [{ tool: "bash", args: { command: "true" } }], before: working.promise }
  const model = await startModelServer([work, said("In blue."), said("Planted.")])
  const environment = agentEnvironment("run_steering", cwd, cwd)
  const agent = startAgent({
    isolation: { wrapper: [] },
    cwd,
    environment,
    onMessage: () => undefined,
    onStderr: () => undefined,
  })
  onTestFinished(async () => {
    await agent.kill()
    await model.close()
    rmSync(cwd, { recursive: true })
  })
  const options = {
    provider: "anthropic" as const,
    model: "claude-sonnet-4-5",
    placeholderKey: "key",
    modelOrigin: model.url,
    systemPrompt: "You plant.",
    cwd,
    stateDir: cwd,
    skillsFolder: join(cwd, "skills"),
    commandEnvironment: environment,
    commandMaxSeconds: 60,
  }
  const steer = (text: string) => agent.tell({ do: "steer", text, mustBeHeard: true })
  const asked = (n: number) => JSON.stringify(model.requests[n]?.body.messages)

  expect(await agent.ask({ do: "open", options })).toMatchObject({ is: "ready" })
  const first = agent.ask({ do: "turn", prompt: "Plant a flower." })
  await expect.poll(() => model.requests).toHaveLength(1)
  steer("A blue one.")
  working.resolve()
  expect(await first).toMatchObject({ is: "turn_end", text: "In blue.", heard: 1 })
  expect(asked(1)).toContain("A blue one.")

  steer("Or a red one.")
  expect(await agent.ask({ do: "turn", prompt: "Another." })).toMatchObject({ is: "turn_end", text: "Planted.", heard: 0 })
  expect(model.requests).toHaveLength(3)
  expect(asked(2)).not.toContain("Or a red one.")
})
