import { mkdtemp, readdir, readFile, rmdir } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "vitest"
import { claimToken } from "../test/container-api.ts"
import { runOfTest, startStage } from "../test/stage.ts"
import { chooseIsolation } from "./isolation.ts"

/** What this machine has. Without root and bubblewrap it has nothing, and the log of a run says so. */
const folder = await mkdtemp(join(tmpdir(), "dormouse-isolation-"))
const isolation = await chooseIsolation(folder)
await rmdir(folder)

const writeReport = { tool: "write", args: { path: "output/report.md", content: "Dormice sleep.\n" } }
const bash = (command: string) => ({ tool: "bash", args: { command } })
const done = { blocks: [{ text: "Done." }] }

test("the agent does the task, its files are kept, and the run completes with its answer", async () => {
  const stage = await startStage({
    script: [{ blocks: [{ text: "I will write it down." }, writeReport] }, { blocks: [{ text: "The report is in report.md." }] }],
  })

  expect(await stage.ended, stage.printed()).toBe(0)
  const { seen } = stage.api
  expect(seen.violations).toEqual([])
  expect(seen.completed).toMatchObject({ result: "The report is in report.md." })
  expect(seen.failed).toBeUndefined()
  expect(seen.outputs.get("report.md")).toMatchObject({ text: "Dormice sleep.\n", output_name: null })
  const [soFar = 0, total = 0, ...more] = seen.usage
  expect(soFar).toBeGreaterThan(0)
  expect(total).toBeGreaterThan(soFar)
  expect(more).toEqual([])
})

test("outputs come before the last lines of the log, and these before the end of the run, by which all of the cost is told", async () => {
  const stage = await startStage({ script: [{ blocks: [writeReport] }, done] })

  expect(await stage.ended, stage.printed()).toBe(0)
  const last = (call: string) => stage.api.seen.requests.lastIndexOf(`/agent/tasks/${runOfTest}/${call}`)
  const ends = ["outputs/prepare", "outputs/complete", "logs", "complete"].map(last)
  expect(ends).toEqual(ends.toSorted((a, b) => a - b))
  expect([ends[0]! >= 0, ends.at(-1)]).toEqual([true, stage.api.seen.requests.length - 1])
  expect(stage.api.seen.usage).toHaveLength(2)
})

test("the log tells a person what happened, stage by stage", async () => {
  const stage = await startStage({
    script: [
      { blocks: [{ text: "Let me look.\nThen I write." }, bash("echo found; echo it")] },
      { blocks: [bash("exit 3")] },
      done,
    ],
  })

  expect(await stage.ended, stage.printed()).toBe(0)
  expect(stage.said("daemon")).toEqual([
    `Claimed run ${runOfTest} of task tsk_1, attempt 1: Write a report`,
    ...(isolation ? [] : ["The agent is not isolated from the daemon: there is no other user and no bubblewrap here"]),
    "Workspace is ready",
    "Starting pi 1.5.2 with anthropic/claude-sonnet-4-5",
    "The agent has finished",
  ])
  expect(stage.said("agent_stdout")).toEqual([
    "Let me look.",
    "Then I write.",
    "▸ bash echo found; echo it",
    "  found",
    "  it",
    "▸ bash exit 3",
    "Done.",
  ])
  expect(stage.said("agent_stderr").join("\n")).toContain("exited with code 3")
})

test("the agent finds its task, the rules of the house and its files", async () => {
  const file = (id: string, filename: string) => ({ id, filename, size_bytes: null })
  const stage = await startStage({
    bundle: {
      input_files: [file("file_a", "data.csv"), file("file_b", "data.csv"), file("file_c", "../../escape.txt")],
      reference_files: [file("file_d", "style guide.md")],
      output_policy: { mode: "named", files: [{ name: "summary.txt", description: "One sentence" }] },
    },
    files: { file_a: "a\n", file_b: "b\n", file_c: "c\n", file_d: "d\n" },
    script: [{ blocks: [bash("cat task/TASK.md input/* reference/* > output/summary.txt")] }, done],
  })

  expect(await stage.ended, stage.printed()).toBe(0)
  expect(await readdir(join(stage.workspace, "input"))).toEqual(["data-2.csv", "data.csv", "escape.txt"])
  expect(stage.api.seen.outputs.get("summary.txt")?.text).toBe("Write a report about dormice.\nb\na\nc\nd\n")
  const rules = await readFile(join(stage.workspace, "task/HARNESS.md"), "utf8")
  expect(rules).toContain("`data.csv`, `data-2.csv`, `escape.txt`")
  expect(rules).toContain("- `summary.txt`: One sentence")
  expect(rules).toContain("1 hour")
  const asked = stage.model.requests[0]?.body
  expect(JSON.stringify(asked?.system)).toContain("You write reports.")
  expect(JSON.stringify(asked?.system)).toContain("task/HARNESS.md")
  expect(JSON.stringify(asked?.messages)).toContain("Write a report about dormice.")
})

test("a file that cannot be had fails the run and names it", async () => {
  const stage = await startStage({
    bundle: { input_files: [{ id: "file_gone", filename: "data.csv", size_bytes: 4 }] },
    script: [],
  })

  expect(await stage.ended, stage.printed()).toBe(0)
  expect(stage.api.seen.failed?.error).toMatch(/^The file data.csv could not be read/)
  expect(stage.model.requests).toEqual([])
})

test("no secret reaches the agent: not by its environment, its processes or its files", async () => {
  const look = "env; cat /proc/self/environ /proc/$PPID/environ /proc/$PPID/cmdline | tr '\\0' '\\n'; cat -A ~/* task/*"
  const stage = await startStage({
    environment: { AWS_SECRET_ACCESS_KEY: "aws-canary", ANTHROPIC_API_KEY: "provider-canary", SOME_SECRET: "other-canary" },
    script: [{ blocks: [bash(look)] }, { blocks: [{ tool: "read", args: { path: "/proc/self/environ" } }] }, done],
  })

  expect(await stage.ended, stage.printed()).toBe(0)
  const { runToken } = stage.api.seen
  const known = JSON.stringify(stage.model.requests.map(({ body }) => body))
  expect(known).toContain(`DORMOUSE_AGENT=${runOfTest}`)
  expect(runToken.length).toBeGreaterThan(40)
  for (const secret of [claimToken, runToken, "aws-canary", "provider-canary", "other-canary", "sk-real"]) {
    expect(known).not.toContain(secret)
    expect(JSON.stringify(stage.lines())).not.toContain(secret)
    expect(stage.printed()).not.toContain(secret)
  }
  expect(stage.model.requests.map(({ headers }) => headers["x-api-key"])).toEqual(["sk-real", "sk-real", "sk-real"])
})

test("what the host has to say about this container stands first in the log", async () => {
  const notice = "This task runs without isolation.\nThis task may use 4096 MB of memory."
  const stage = await startStage({ environment: { DORMOUSE_NOTICE: notice }, script: [done] })

  expect(await stage.ended, stage.printed()).toBe(0)
  expect(stage.said("daemon").slice(0, 3)).toEqual([
    "This task runs without isolation.",
    "This task may use 4096 MB of memory.",
    `Claimed run ${runOfTest} of task tsk_1, attempt 1: Write a report`,
  ])
})

test.each(["setsid", "setsid env -i"])("what is left running in the background by %s ends with the turn", async (detached) => {
  const looked = Promise.withResolvers<void>()
  const stage = await startStage({
    script: [{ blocks: [bash(`${detached} sleep 1000 > /dev/null 2>&1 &`)] }, { ...done, before: looked.promise }],
  })
  await stage.untilAsked(1)
  expect(stage.agentProcesses().length).toBeGreaterThan(1)
  looked.resolve()

  expect(await stage.ended, stage.printed()).toBe(0)
  await stage.until(() => stage.agentProcesses().length === 0)
})
