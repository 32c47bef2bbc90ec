import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, onTestFinished, test } from "vitest"
import { startGitServer } from "../../test/git-server.ts"
import { runOfTest, startStage } from "../test/stage.ts"
import { said } from "../test/turns.ts"
import type { Turn } from "./api.ts"

// A task may be cancelled at any moment. Those in which an agent works, or waits, are in lease.test.ts and conversation.test.ts; here are
// those in which bytes are on their way that may take longer than the container has.

type Stage = Awaited<ReturnType<typeof startStage>>
type Options = Parameters<typeof startStage>[0]

const message = { id: "msg_1", sequence: 1, content: "Hello.", files: [], created_at: "2026-11-25T12:00:00.000Z" }
const turn: Turn = { number: 1, mode: "conversation", messages: [message] }
const input = { input_files: [{ id: "file_a", filename: "data.csv", size_bytes: 4 }] }

/** Something that never goes on, and whether anybody waits for it. */
const standstill = () => {
  const seen = { isReached: false }
  const wait = () => {
    seen.isReached = true
    return new Promise<void>(() => undefined)
  }
  return { seen, wait }
}

/** A stage whose daemon keeps what is not of the workspace in a folder of its own. */
const stageIn = async ({ environment, ...options }: Options) => {
  const scratch = mkdtempSync(join(tmpdir(), "dormouse-scratch-"))
  chmodSync(scratch, 0o755)
  onTestFinished(() => rmSync(scratch, { recursive: true }))
  const stage = await startStage({ ...options, environment: { TMPDIR: scratch, ...environment } })
  return { stage, scratch }
}

const signal = async (stage: Stage, kind: "cancel" | "pause", isStopped = false) => {
  stage.api.play.signals = [{ kind }]
  if (isStopped) stage.child.kill("SIGTERM")
  else await stage.move(31)
}

/** Holds up all transfers, or those of one file. Answers when one is on its way. */
const holdTransfers = (stage: Stage, file?: string) => {
  const { seen, wait } = standstill()
  stage.api.play.transfer = async (name) => (file === undefined || name === file ? wait() : undefined)
  return stage.until(() => seen.isReached)
}

const expectCancelled = async ({ stage, scratch }: Awaited<ReturnType<typeof stageIn>>) => {
  expect(await stage.ended, stage.printed()).toBe(0)
  expect(stage.api.seen.failed?.error).toBe("The task was cancelled.")
  expect(stage.api.seen).toMatchObject({ completed: undefined, released: undefined, turns: [], violations: [] })
  expect(stage.agentProcesses()).toEqual([])
  expect(readdirSync(scratch)).toEqual([])
}

describe.each([
  ["a heartbeat", false],
  ["being stopped", true],
])("cancelled, as it hears by %s, a run ends at once", (_, isStopped) => {
  test("while an input is fetched", async () => {
    const it = await stageIn({ bundle: input, files: { file_a: "a,b\n" }, script: [said("Never.")] })
    await holdTransfers(it.stage)
    await signal(it.stage, "cancel", isStopped)
    await expectCancelled(it)
    expect(it.stage.model.requests).toEqual([])
  })

  test("while the file of a message is fetched, and saves nothing", async () => {
    const sent = { ...turn, messages: [{ ...message, files: input.input_files }] }
    const it = await stageIn({ bundle: { turn: sent }, files: { file_a: "a,b\n" }, script: [said("Never.")] })
    await holdTransfers(it.stage)
    await signal(it.stage, "cancel", isStopped)
    await expectCancelled(it)
    expect(it.stage.api.seen.segments).toEqual([])
  })

  test("while a repository is cloned", async () => {
    const { seen, wait } = standstill()
    const host = await startGitServer(wait)
    onTestFinished(host.close)
    const url = "https://git.example.com/acme/website.git"
    const website = { name: "Website", url, tag: "main", folder: "code", setup_script: null, aliases: [], private_keys: [] }
    const it = await stageIn({
      sources: { repositories: [website] },
      environment: { DORMOUSE_GIT_CONFIG: host.config },
      script: [said("Never.")],
    })
    await it.stage.until(() => seen.isReached)
    await signal(it.stage, "cancel", isStopped)
    await expectCancelled(it)
    expect(existsSync(join(it.stage.workspace, "code"))).toBe(false)
  })

  test("while its workspace is restored, and leaves what was stored of it before as it is", async () => {
    const script = [{ blocks: [{ tool: "bash", args: { command: "echo whole > output/report.md" } }] }, said("Hello.")]
    const first = await startStage({ bundle: { turn, warm: { turn_seconds: 1, run_seconds: 60 } }, script })
    expect(await first.ended, first.printed()).toBe(0)
    const { objects, seen } = first.api
    const it = await stageIn({
      runId: `${runOfTest}_2`,
      objects,
      bundle: { turn, checkpoint: { segments: seen.segments } },
      script: [said("Never.")],
    })
    await holdTransfers(it.stage)
    await signal(it.stage, "cancel", isStopped)
    await expectCancelled(it)
    expect(it.stage.api.seen.outputs.size).toBe(0)
  })

  test("while its workspace is saved, with what the agent has said", async () => {
    const it = await stageIn({ bundle: { turn }, script: [said("Hello.")] })
    await holdTransfers(it.stage)
    await signal(it.stage, "cancel", isStopped)
    await expectCancelled(it)
    expect(it.stage.api.seen.failed?.result).toBe("Hello.")
    expect(it.stage.api.seen.segments).toEqual([])
  })
})

test("a turn that the API has ended with the task, since it was cancelled in that very moment, is the end", async () => {
  const { stage } = await stageIn({ bundle: { turn }, script: [said("Hello.")] })
  stage.api.play.trouble = (path) => {
    if (!path.endsWith("/turns/complete")) return stage.api.seen.turns.length > 0 ? 409 : undefined
    stage.api.play.leaseStatus = "failed"
    return undefined
  }
  expect(await stage.ended, stage.printed()).toBe(0)
  expect(stage.api.seen.turns).toMatchObject([{ messages: [{ content: "Hello." }] }])
})

test("a run without credit is paused, not failed, while an input is fetched", async () => {
  const { stage } = await stageIn({ bundle: input, files: { file_a: "a,b\n" }, script: [said("Never.")] })
  await holdTransfers(stage)
  await signal(stage, "pause")
  expect(await stage.ended, stage.printed()).toBe(0)
  expect(stage.api.seen).toMatchObject({ failed: undefined, released: { to: "pause" } })
})

describe.each([
  ["paused", 0],
  ["stopped", 143],
] as const)("a run that is %s after hours of work, before the turn of a message can begin, is saved", (how, code) => {
  const work = [{ blocks: [{ tool: "bash", args: { command: "echo hours > work.txt" } }] }, said("Done.")]
  const waiting = { code: "message_waiting", message: "A message has come." }

  const leave = async (stage: Stage) => {
    if (how === "paused") await signal(stage, "pause")
    else stage.child.kill("SIGTERM")
    expect(await stage.ended, stage.printed()).toBe(code)
    expect(stage.api.seen).toMatchObject({ failed: undefined, completed: undefined, violations: [] })
    expect(stage.api.seen.released?.to).toBe(how === "paused" ? "pause" : undefined)
    expect(stage.api.seen.segments).toHaveLength(1)
  }

  const successorOf = async ({ api }: Stage, options: Omit<Options, "script">) => {
    const { objects, seen, play } = api
    const bundle = { turn: play.turn, checkpoint: { segments: seen.segments }, ...options.bundle }
    const next = await startStage({
      runId: `${runOfTest}_2`,
      objects,
      script: [said("Read.")],
      ...options,
      bundle,
    })
    expect(await next.ended, next.printed()).toBe(0)
    expect(readFileSync(join(next.workspace, "work.txt"), "utf8")).toBe("hours\n")
    return { next, prompt: JSON.stringify(next.model.requests[0]?.body.messages) }
  }

  test("while its second file is fetched, of which the next container finds no half", async () => {
    const files = { file_a: "a,b\n", file_b: "c,d\n" }
    const { stage } = await stageIn({ files, script: work })
    stage.api.play.refuse.complete = waiting
    const file = (id: string, filename: string) => ({ id, filename, size_bytes: 4 })
    const sent = { ...message, files: [file("file_a", "a.csv"), file("file_b", "b.csv")] }
    stage.api.play.turn = { number: 2, mode: "autonomous", messages: [sent] }
    await holdTransfers(stage, "file_b")
    await leave(stage)
    const { next, prompt } = await successorOf(stage, { files })
    expect(readdirSync(join(next.workspace, "input")).toSorted()).toEqual(["a.csv", "b.csv"])
    expect(readFileSync(join(next.workspace, "input", "b.csv"), "utf8")).toBe("c,d\n")
    expect(prompt).toContain("(File: input/a.csv)\\n(File: input/b.csv)")
  })

  test("while a repository is set up that was attached meanwhile, which the next container does from the start", async () => {
    const host = await startGitServer()
    onTestFinished(host.close)
    const setUp = "[ -e ../begun ] && echo done > set-up.txt && exit\ntouch ../begun\necho It has begun\nexec sleep 900\n"
    host.make("acme/website.git", { "setup.sh": setUp })
    const url = "https://git.example.com/acme/website.git"
    const website = { name: "Website", url, tag: "main", folder: "code/website", aliases: [], private_keys: [] }
    const sources = { repositories: [] as NonNullable<NonNullable<Options["sources"]>["repositories"]> }
    const given = { sources, environment: { DORMOUSE_GIT_CONFIG: host.config } }
    const { promise: before, resolve: answer } = Promise.withResolvers<void>()
    const { stage } = await stageIn({ ...given, script: [...work.slice(0, -1), { ...said("Done."), before }] })
    stage.api.play.refuse.complete = waiting
    stage.api.play.turn = { number: 2, mode: "autonomous", messages: [message] }
    await stage.untilAsked(1)
    sources.repositories.push({ ...website, setup_script: "setup.sh" })
    answer()
    await stage.until(() => existsSync(join(stage.workspace, "code", "begun")))
    await leave(stage)
    const { next, prompt } = await successorOf(stage, given)
    expect(readFileSync(join(next.workspace, "code", "website", "set-up.txt"), "utf8")).toBe("done\n")
    expect(prompt).toContain("The git repository Website was cloned to code/website/ at main.")
  })
})
