import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { every } from "#core/clock.ts"
import { newAccount } from "./app.ts"
import { items } from "./aws.ts"
import { type ChildStack, childStack } from "./child-stack.ts"
import { newAgent, newTask } from "./make.ts"
import { type Step, startModelServer } from "./model-server.ts"
import { marked } from "./processes.ts"
import { type AccountEvidence, evidenceOf } from "./soak/evidence.ts"
import { ofAccounts, ofTasks } from "./soak/invariants.ts"
import { untilEnded } from "./until.ts"

// A task stands at each stage of its life when the whole stack is killed. Started again on the same folder, nothing is missing.

const patience = { timeout: 60_000, interval: 10 }
const outputs = 80

const tool = (command: string): Step => ({ blocks: [{ tool: "bash", args: { command } }] })
const answer: Step = { blocks: [{ text: "Done." }] }
const writeMany = tool(`for i in $(seq 1 ${outputs}); do echo "file $i" > output/$i.txt; done`)

/** What the model says first, before the crash and after it. Its second answer is that it is done. */
const words: Record<string, { before: Step; after: Step }> = {
  "stage-starting": { before: answer, after: answer },
  "stage-thinking": { before: { blocks: [{ text: "a" }], end: "hang" }, after: answer },
  "stage-working": { before: tool("sleep 3600"), after: answer },
  "stage-uploading": { before: writeMany, after: writeMany },
  "stage-finished": { before: tool("echo kept > output/kept.txt"), after: answer },
  "stage-dispatched": { before: answer, after: answer },
}

const data = mkdtempSync(join(tmpdir(), "dormouse-crash-"))
let hasCrashed = false
let model: Awaited<ReturnType<typeof startModelServer>>
let stack: ChildStack
let account: Awaited<ReturnType<typeof newAccount>>

// biome-ignore lint/suspicious/noExplicitAny: bodies are read as a user's script would read them.
type Body = any
/** What was answered before the crash. */
const told: { agent?: Body; tasks: Record<string, Body>; finished?: Body; files?: Body; kept?: Body; ledger?: Body[] } = {
  tasks: {},
}
/** Runs that had a process at some moment after the crash, moment by moment. */
const seen: string[][] = []
let evidence: AccountEvidence
let leftBehind: string[]
let killed: string[]

const runsOf = async (taskId: string) => items(stack.app(), `${account.accountId}#${taskId}`, "run#")

const dispatch = async (word: string) => {
  told.tasks[word] = await newTask(account, told.agent.id, { instructions: `Do it: ${word}`, metadata: { word } })
  return told.tasks[word].id as string
}

const modelWasAsked = (word: string) =>
  vi.waitFor(() => expect(model.requests.some(({ body }) => JSON.stringify(body).includes(word))).toBe(true), patience)

/** Halts the container of a task's run as soon as it has a process, which stays until it is killed. */
const halt = async (taskId: string) => {
  const pid = await vi.waitFor(async () => {
    const run = (await runsOf(taskId)).at(-1)
    const process = marked("DORMOUSE_RUN_ID").find(({ value }) => value === run?.runId)
    if (!process) throw new Error("The container has not started")
    return process.pid
  }, patience)
  process.kill(pid, "SIGSTOP")
}

/** A container that was halted before it claimed its run. One that was faster is left to finish, and the next is tried. */
const holdStarting = async (): Promise<void> => {
  const id = await dispatch("stage-starting")
  await halt(id)
  const { body } = await account.send(`GET /tasks/${id}`)
  if (body.status === "pending") return
  const [run] = await runsOf(id)
  for (const { pid, value } of marked("DORMOUSE_RUN_ID")) if (value === run!.runId) process.kill(pid, "SIGCONT")
  await untilEnded(account, id)
  return holdStarting()
}

/** A container that was halted when its first output was there, and its end was not yet said. */
const holdUploading = async () => {
  const id = await dispatch("stage-uploading")
  await vi.waitFor(
    async () => expect(await items(stack.app(), `${account.accountId}#${id}`, "output#")).not.toEqual([]),
    patience,
  )
  await halt(id)
  expect((await runsOf(id)).map(({ status }) => status)).toEqual(["claimed"])
}

const ownMarks = (runIds: string[]) =>
  ["DORMOUSE_RUN_ID", "DORMOUSE_AGENT"].flatMap((name) =>
    marked(name).flatMap(({ value }) => (runIds.includes(value) ? [`${name}=${value}`] : [])),
  )

const finishOne = async () => {
  told.finished = await untilEnded(account, await dispatch("stage-finished"))
  told.files = (await account.send(`GET /tasks/${told.finished.id}/files`)).body
  told.kept = (await account.send(`GET /tasks/${told.finished.id}/files/${told.files.data[0].id}`)).body
}

const crash = async () => {
  await holdStarting()
  await Promise.all([dispatch("stage-thinking"), dispatch("stage-working")])
  await holdUploading()
  await finishOne()
  await modelWasAsked("stage-thinking")
  await vi.waitFor(() => expect(marked("DORMOUSE_AGENT").length).toBeGreaterThan(0), patience)
  told.ledger = await items(stack.app(), `${account.accountId}#ledger`)
  const runs = (await Promise.all(Object.values(told.tasks).map(({ id }) => runsOf(id)))).flat()
  await dispatch("stage-dispatched")
  await stack.kill()
  hasCrashed = true
  return runs.map(({ runId }) => runId as string)
}

const recover = async () => {
  const stopLooking = every(50, () => seen.push(marked("DORMOUSE_RUN_ID").map(({ value }) => value)))
  await stack.start()
  leftBehind = killed
  await vi.waitFor(() => {
    leftBehind = ownMarks(killed)
    expect(leftBehind).toEqual([])
  }, patience)
  for (const { id } of Object.values(told.tasks)) await untilEnded(account, id)
  stopLooking()
}

beforeAll(async () => {
  model = await startModelServer(({ body }) => {
    const text = JSON.stringify(body)
    const word = Object.keys(words).find((name) => text.includes(name)) ?? ""
    if (JSON.stringify((body.messages as unknown[]).at(-1)).includes("tool_result")) return answer
    return words[word]?.[hasCrashed ? "after" : "before"] ?? answer
  })
  stack = childStack({ data, env: { ANTHROPIC_BASE_URL: model.url } })
  await stack.start()
  account = await newAccount(stack.app())
  told.agent = await newAgent(account)
  killed = await crash()
  await recover()
  const ids = Object.values(told.tasks).map(({ id }) => id as string)
  await vi.waitFor(async () => {
    evidence = await evidenceOf(stack.app(), account, ids)
    expect(evidence.tasks.every(({ execution }) => execution !== "RUNNING")).toBe(true)
  }, patience)
}, 240_000)

afterAll(async () => {
  await stack?.kill()
  await model?.close()
  rmSync(data, { recursive: true, force: true })
})

const attemptsOf = (word: string) => evidence.tasks.find(({ id }) => id === told.tasks[word].id)!.runs.map(({ status }) => status)

describe("what was acknowledged before the stack was killed", () => {
  test("agent and tasks are as they were answered", async () => {
    expect((await account.send(`GET /agents/${told.agent.id}`)).body).toEqual(told.agent)
    const { body } = await account.send(`GET /agents/${told.agent.id}/tasks?limit=100`)
    for (const { id, title, instructions, metadata, createdAt, overrides } of Object.values(told.tasks)) {
      const { body: task } = await account.send(`GET /tasks/${id}`)
      expect(task).toMatchObject({ id, title, instructions, metadata, createdAt, overrides })
      expect(body.data).toContainEqual(task)
    }
  })

  test("a task that had just finished is unchanged, with its file and its log", async () => {
    expect((await account.send(`GET /tasks/${told.finished.id}`)).body).toEqual(told.finished)
    const { body } = await account.send(`GET /tasks/${told.finished.id}/files`)
    expect(body).toEqual(told.files)
    expect(told.kept).toBe("kept\n")
    expect((await account.send(`GET /tasks/${told.finished.id}/files/${body.data[0].id}`)).body).toBe(told.kept)
    const { body: log } = await account.send(`GET /tasks/${told.finished.id}/logs?limit=100`)
    expect(log.data[0]).toMatchObject({ message: "The agent has finished", attemptNumber: 1 })
  })

  test("every movement of money is there as it was", () => {
    for (const entry of told.ledger!) expect(evidence.ledger).toContainEqual(entry)
  })
})

describe("what was under way when the stack was killed", () => {
  test.each(["stage-starting", "stage-thinking", "stage-working", "stage-uploading"])(
    "%s: counts as lost, and finishes as the next attempt",
    (word) => {
      expect(attemptsOf(word)).toEqual(["lost", "completed"])
    },
  )

  test("stage-dispatched: a task that was acknowledged in the last moment runs and finishes", () => {
    expect(attemptsOf("stage-dispatched").at(-1)).toBe("completed")
    expect(evidence.tasks.every(({ view }) => view.status === "finished" && view.result === "Done.")).toBe(true)
  })

  test("outputs that were uploaded before are there once, with all the others", async () => {
    const { id } = told.tasks["stage-uploading"]
    const { body } = await account.send(`GET /tasks/${id}/files?limit=100`)
    const names = body.data.map(({ filename }: { filename: string }) => filename)
    expect(names.toSorted()).toEqual(Array.from({ length: outputs }, (_, i) => `${i + 1}.txt`).toSorted())
    for (const file of body.data.slice(0, 5)) {
      const { body: text } = await account.send(`GET /tasks/${id}/files/${file.id}`)
      expect(text).toBe(`file ${file.filename.replace(".txt", "")}\n`)
    }
  })

  test("no process of the dead stack is left behind, not even a command of an agent", () => {
    expect(killed.length).toBeGreaterThanOrEqual(5)
    expect(leftBehind).toEqual([])
  })

  test("no task ever ran twice at once", () => {
    expect(seen.length).toBeGreaterThan(0)
    const twice = evidence.tasks.filter(({ runs }) =>
      seen.some((moment) => runs.filter(({ runId }) => moment.includes(runId)).length > 1),
    )
    expect(twice.map(({ id }) => id)).toEqual([])
  })
})

describe("after all that", () => {
  test("events, attempts, executions, charges and balance hold together", () => {
    const wrong = [...ofTasks(evidence.tasks), ...ofAccounts([evidence])].filter((finding) => finding.wrong.length > 0)
    expect(wrong).toEqual([])
  })

  test("a clean stop and start changes nothing", async () => {
    expect(await stack.stop()).toBe(0)
    await stack.start()
    const again = await evidenceOf(
      stack.app(),
      account,
      evidence.tasks.map(({ id }) => id),
    )
    expect(again).toEqual(evidence)
  })
})
