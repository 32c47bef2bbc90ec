import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { CloneSource, SkillSource } from "../../core/git.ts"
import { type GitServer, startGitServer } from "../../test/git-server.ts"
import { fastForward, runOfTest, startStage } from "../test/stage.ts"
import { said } from "../test/turns.ts"
import type { Turn } from "./api.ts"

// What fails while a turn, or a task that goes on, is made ready.

let host: GitServer
/** A git configuration that leads to where nobody listens. */
let away: string

beforeAll(async () => {
  host = await startGitServer()
  host.make("acme/website.git", { "page.txt": "first" })
  host.make("acme/endless.git", { "setup.sh": "exec sleep 900\n" })
  host.make("acme/skills.git", { "alpha/SKILL.md": "---\nname: alpha\ndescription: Knows all about dormice.\n---\n# Alpha\n" })
  away = join(host.root, "away")
  writeFileSync(away, '[url "http://127.0.0.1:1/"]\n\tinsteadOf = https://git.example.com/\n\tinsteadOf = https://github.com/\n')
})

afterAll(() => host.close())

const repository = (name: string): CloneSource => ({
  name,
  url: `https://git.example.com/acme/${name}.git`,
  tag: "main",
  folder: `code/${name}`,
  setup_script: null,
  aliases: [],
  private_keys: [],
})
const alpha: SkillSource = { skill: "acme/skills/alpha", ssh_key_id: null, private_key: null }

const created_at = "2026-11-25T12:00:00.000Z"
const turn = (number: number, changes: Partial<Turn["messages"][number]> = {}): Turn => {
  const message = { id: `msg_${number}`, sequence: number, content: `Question ${number}.`, files: [], created_at }
  return { number, mode: "conversation", messages: [{ ...message, ...changes }] }
}
const patient = { limits: { model_idle_seconds: 80_000, max_runtime_seconds: 80_000 } }
const warm = { turn_seconds: 1, run_seconds: 60 }
const nothingThere = /^The repository nothing could not be cloned at main: .*not found/

type Stage = Awaited<ReturnType<typeof startStage>>
type Options = Parameters<typeof startStage>[0]

const answers = ({ api }: Stage) => api.seen.turns.map(({ messages }) => messages?.[0]?.content)

/** A conversation of one turn, whose container has left. */
const startFirst = async (options: Partial<Options> = {}) => {
  const stage = await startStage({ bundle: { turn: turn(1), warm }, script: [said("Answer 1.")], sources: {}, ...options })
  expect(await stage.ended, stage.printed()).toBe(0)
  return stage
}

const startNext = ({ api }: Stage, n: number, { bundle, ...options }: Partial<Options>) =>
  startStage({
    runId: `${runOfTest}_${n}`,
    objects: api.objects,
    bundle: { ...patient, turn: turn(2), warm, checkpoint: { segments: api.seen.segments }, ...bundle },
    script: [said("Answer 2.")],
    ...options,
  })

describe("the person is told why a turn could not begin, and the conversation goes on", () => {
  test("where a repository that was attached meanwhile is not there", async () => {
    const repositories: CloneSource[] = []
    const stage = await startStage({
      bundle: { turn: turn(1) },
      sources: { repositories },
      environment: { DORMOUSE_GIT_CONFIG: host.config },
      script: [said("Answer 1."), said("Answer 3.")],
    })
    await stage.until(() => stage.api.seen.turns.length === 1)
    repositories.push(repository("nothing"))
    stage.api.play.turn = turn(2)
    await stage.until(() => stage.api.seen.turns.length === 2)
    repositories.pop()
    stage.api.play.turn = turn(3)
    await stage.until(() => stage.api.seen.turns.length === 3)
    expect(answers(stage)).toEqual(["Answer 1.", expect.stringMatching(nothingThere), "Answer 3."])
    expect(stage.api.seen.turns[1]?.after).toBe(2)
  })

  test("where its next container finds one that is not there", async () => {
    const first = await startFirst()
    const next = await startNext(first, 2, {
      sources: { repositories: [repository("nothing")], skills: [alpha] },
      environment: { DORMOUSE_GIT_CONFIG: host.config },
    })
    expect(await next.ended, next.printed()).toBe(0)
    expect(answers(next)).toEqual([expect.stringMatching(nothingThere)])
    expect(next.api.seen).toMatchObject({ failed: undefined, released: { to: "await_input" } })
  })

  test("where a file of their message is gone", async () => {
    const stage = await startStage({ bundle: { turn: turn(1) }, script: [said("Answer 1."), said("Answer 3.")] })
    await stage.until(() => stage.api.seen.turns.length === 1)
    stage.api.play.turn = turn(2, { files: [{ id: "file_gone", filename: "data.csv", size_bytes: 3 }] })
    await stage.until(() => stage.api.seen.turns.length === 2)
    stage.api.play.turn = turn(3)
    await stage.until(() => stage.api.seen.turns.length === 3)
    expect(answers(stage)).toEqual(["Answer 1.", expect.stringMatching(/^The file data\.csv could not be read/), "Answer 3."])
  })
})

describe("a host that is away", () => {
  test.each([
    ["of a skill", { sources: { skills: [alpha] } }],
    [
      "of a repository that the agent needs when it goes on by itself",
      {
        sources: { repositories: [repository("website")] },
        bundle: { turn: { number: 2, mode: "autonomous" as const, messages: [] } },
      },
    ],
  ])("%s ends the attempt of a task that has begun, and the next one goes on", async (_, options) => {
    const first = await startFirst()
    const lost = await startNext(first, 2, { ...options, environment: { DORMOUSE_GIT_CONFIG: away } })
    expect(await fastForward(lost), lost.printed()).toBe(1)
    expect(lost.api.seen).toMatchObject({ failed: undefined, turns: [], completed: undefined })

    const next = await startNext(first, 3, { ...options, environment: { DORMOUSE_GIT_CONFIG: host.config } })
    expect(await next.ended, next.printed()).toBe(0)
    expect(next.api.seen.completed?.result ?? answers(next)[0]).toBe("Answer 2.")
  })

  test("fails a task that has not begun, in words", async () => {
    const stage = await startStage({
      bundle: patient,
      sources: { repositories: [repository("website")] },
      environment: { DORMOUSE_GIT_CONFIG: away },
      script: [],
    })
    expect(await fastForward(stage), stage.printed()).toBe(0)
    expect(stage.api.seen.failed?.error).toMatch(/^The repository website could not be cloned at main: .*127\.0\.0\.1/)
  })
})

test("a setup script that never ends takes the time that the task has, and no more", async () => {
  const repositories: CloneSource[] = []
  const stage = await startStage({
    bundle: { turn: turn(1), limits: { max_runtime_seconds: 600 } },
    sources: { repositories },
    environment: { DORMOUSE_GIT_CONFIG: host.config },
    script: [said("Answer 1.")],
  })
  await stage.until(() => stage.api.seen.turns.length === 1)
  repositories.push({ ...repository("endless"), setup_script: "setup.sh" })
  stage.api.play.turn = turn(2)
  expect(await fastForward(stage), stage.printed()).toBe(0)
  expect(stage.api.seen.failed).toMatchObject({ error: expect.stringMatching(/10 minutes/) })
})
