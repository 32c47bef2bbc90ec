import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { CloneSource } from "../../core/git.ts"
import { type GitServer, startGitServer } from "../../test/git-server.ts"
import { runOfTest, startStage } from "../test/stage.ts"
import { bash, said } from "../test/turns.ts"
import type { Turn } from "./api.ts"

// Repositories that a person attaches to a conversation while it goes on.

let host: GitServer

beforeAll(async () => {
  host = await startGitServer()
  for (const name of ["website", "shop"])
    host.make(`acme/${name}.git`, {
      "setup.sh": `echo "${name} is set up" >> set-up.txt\n`,
      [`bin/${name}`]: { text: `#!/bin/sh\necho "${name} runs"\n`, executable: true },
    })
})

afterAll(() => host.close())

const repository = (name: string): CloneSource => ({
  name,
  url: `https://git.example.com/acme/${name}.git`,
  tag: "main",
  folder: `code/${name}`,
  setup_script: "setup.sh",
  aliases: [{ name, target: `bin/${name}` }],
  private_keys: [],
})

const turn = (number: number): Turn => {
  const message = { id: `msg_${number}`, sequence: number, content: `Question ${number}.`, files: [] }
  return { number, mode: "conversation", messages: [{ ...message, created_at: "2026-11-25T12:00:00.000Z" }] }
}

const environment = () => ({ DORMOUSE_GIT_CONFIG: host.config })

type Stage = Awaited<ReturnType<typeof startStage>>

/** What the nth request to the model ends with. */
const lastSaid = ({ model }: Stage, n: number) => {
  const messages = model.requests[n]?.body.messages as unknown[] | undefined
  return JSON.stringify(messages?.at(-1))
}
const isSetUp = ({ workspace }: Stage, name: string) => {
  const path = join(workspace, "code", name, "set-up.txt")
  return existsSync(path) ? readFileSync(path, "utf8") : undefined
}
const sentence = (name: string) => `The git repository ${name} was cloned to code/${name}/ at main.`

describe("a repository that is attached between two turns", () => {
  test("is cloned and set up before the next one, whose prompt says so, and is left alone from then on", async () => {
    const repositories = [repository("website")]
    const stage = await startStage({
      bundle: { turn: turn(1) },
      sources: { repositories },
      environment: environment(),
      script: [said("Answer 1."), bash("shop && website"), said("Answer 2."), said("Answer 3.")],
    })
    await stage.until(() => stage.api.seen.turns.length === 1)
    expect(lastSaid(stage, 0)).not.toContain("was cloned to")
    expect(isSetUp(stage, "website")).toBe("website is set up\n")
    expect(isSetUp(stage, "shop")).toBeUndefined()

    repositories.push(repository("shop"))
    stage.api.play.turn = turn(2)
    await stage.until(() => stage.api.seen.turns.length === 2)
    expect(lastSaid(stage, 1)).toContain(`${sentence("shop")}\\n\\nQuestion 2.`)
    expect(lastSaid(stage, 1)).not.toContain(sentence("website"))
    expect(lastSaid(stage, 2)).toContain("shop runs\\nwebsite runs")
    expect(isSetUp(stage, "shop")).toBe("shop is set up\n")

    const clones = host.requests.length
    stage.api.play.turn = turn(3)
    await stage.until(() => stage.api.seen.turns.length === 3)
    expect(lastSaid(stage, 3)).not.toContain("was cloned to")
    expect([isSetUp(stage, "website"), isSetUp(stage, "shop")]).toEqual(["website is set up\n", "shop is set up\n"])
    expect(host.requests.length).toBe(clones)
    expect(stage.printed()).not.toContain("is there already")
    expect(stage.api.seen.violations).toEqual([])
  })

  test("is cloned and set up by the next container, where the one before has left", async () => {
    const first = await startStage({
      bundle: { turn: turn(1), warm: { turn_seconds: 1, run_seconds: 60 } },
      sources: { repositories: [repository("website")] },
      environment: environment(),
      script: [said("Answer 1.")],
    })
    expect(await first.ended, first.printed()).toBe(0)
    const { objects, seen } = first.api
    const next = await startStage({
      runId: `${runOfTest}_2`,
      objects,
      bundle: { turn: turn(2), checkpoint: { segments: seen.segments }, warm: { turn_seconds: 1, run_seconds: 60 } },
      sources: { repositories: [repository("website"), repository("shop")] },
      environment: environment(),
      script: [bash("shop && website"), said("Answer 2.")],
    })
    expect(await next.ended, next.printed()).toBe(0)
    expect(lastSaid(next, 0)).toContain(`${sentence("shop")}\\n\\nQuestion 2.`)
    expect(lastSaid(next, 0)).not.toContain(sentence("website"))
    expect(lastSaid(next, 1)).toContain("shop runs\\nwebsite runs")
    expect([isSetUp(next, "website"), isSetUp(next, "shop")]).toEqual(["website is set up\n", "shop is set up\n"])
  })
})
