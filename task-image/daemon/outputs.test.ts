import { expect, test } from "vitest"
import { startStage } from "../test/stage.ts"
import { bash } from "../test/turns.ts"
import type { Bundle } from "./api.ts"
import { findOutputs } from "./output-files.ts"

const done = { blocks: [{ text: "Done." }] }

const runWith = async (output_policy: Bundle["output_policy"], command: string) => {
  const stage = await startStage({ bundle: { output_policy }, script: [bash(command), done] })
  expect(await stage.ended, stage.printed()).toBe(0)
  expect(stage.api.seen.violations).toEqual([])
  const { outputs } = stage.api.seen
  const names = Object.fromEntries([...outputs.values()].map(({ filename, output_name }) => [filename, output_name]))
  return { ...stage.api.seen, names, said: stage.said }
}

const named = (...names: string[]) => ({ mode: "named" as const, files: names.map((name) => ({ name })) })

test("policy any takes everything below output/ and is content with nothing", async () => {
  const { names, completed } = await runWith({ mode: "any" }, "cd output && mkdir -p b/c && touch z.txt b/c/d.txt a.txt")
  expect(names).toEqual({ "a.txt": null, "b/c/d.txt": null, "z.txt": null })
  expect(completed).toEqual({ result: "Done." })

  const empty = await runWith({ mode: "any" }, "true")
  expect(empty.completed).toEqual({ result: "Done." })
})

test("policy none takes nothing", async () => {
  const { names, completed } = await runWith({ mode: "none" }, "touch output/a.txt")
  expect(names).toEqual({})
  expect(completed).toEqual({ result: "Done." })
})

test("policy at_least_one fails the run when nothing is there", async () => {
  const { failed, completed } = await runWith({ mode: "at_least_one" }, "touch elsewhere.txt")
  expect(completed).toBeUndefined()
  expect(failed).toEqual({ error: expect.stringContaining("wrote no file to output/"), result: "Done." })
})

test("policy at_least_one is met by one file", async () => {
  const { names, completed } = await runWith({ mode: "at_least_one" }, "touch output/a.txt")
  expect(names).toEqual({ "a.txt": null })
  expect(completed).toEqual({ result: "Done." })
})

test("policy named knows a file by its path, its name or its stem, and leaves the others unnamed", async () => {
  const { names, completed } = await runWith(
    named("data/table.csv", "chart.png", "report"),
    "cd output && mkdir -p data deep && touch data/table.csv deep/chart.png report.md notes.txt",
  )
  expect(names).toEqual({
    "data/table.csv": "data/table.csv",
    "deep/chart.png": "chart.png",
    "notes.txt": null,
    "report.md": "report",
  })
  expect(completed).toEqual({ result: "Done." })
})

test("policy named fails the run with the names that are missing, and keeps what is there", async () => {
  const { names, failed } = await runWith(named("report.md", "table.csv", "chart.png"), "touch output/report.md")
  expect(failed?.error).toContain("table.csv, chart.png are missing in output/")
  expect(names).toEqual({ "report.md": "report.md" })
})

test("links, pipes and names that cannot be kept are left out, and the log says so", async () => {
  const { outputs, names, said, completed } = await runWith(
    { mode: "any" },
    `cd output && ln -s /etc/passwd passwd && ln -s /etc etc && mkfifo pipe && touch "$(printf 'a\\nb')" 'c\\d' &&
     touch "$(printf 'bad\\377')" && echo ok > '-rf * \${HOME}; é.txt' && mkdir ..., && echo dot > .hidden`,
  )
  expect(names).toEqual({ "-rf * ${HOME}; é.txt": null, ".hidden": null })
  expect(outputs.get("-rf * ${HOME}; é.txt")?.text).toBe("ok\n")
  expect(completed).toEqual({ result: "Done." })
  const leftOut = said("daemon").filter((line) => line.includes("is left out"))
  expect(leftOut).toHaveLength(6)
  expect(leftOut).toContain('"passwd" is left out: it is a link')
  expect(leftOut).toContain('"pipe" is left out: it is not a regular file')
})

test("output/ itself turned into a link gives nothing away", async () => {
  const { names, said } = await runWith({ mode: "any" }, "rmdir output && ln -s /etc output")
  expect(names).toEqual({})
  expect(said("daemon")).toContain("output/ is not a folder any more")
})

test("what vanishes while outputs are looked for is not an error", async () => {
  // Whoever lists these files finds among them the one of the list itself, which is gone by then.
  const { files, leftOut } = await findOutputs("/proc/self/fdinfo")
  expect(files.length).toBeGreaterThan(2)
  expect(leftOut).toEqual([])
})

test("at most 1,000 files are kept", async () => {
  const { names, said } = await runWith({ mode: "any" }, "cd output && touch $(seq -w 1 1003)")
  expect(Object.keys(names)).toHaveLength(1000)
  expect(names).toHaveProperty("1000")
  expect(said("daemon")).toContain("output/ holds 1003 files; only the first 1000 by name are kept")
})

test("an upload that fails is made again, with a new address", async () => {
  const stage = await startStage({ script: [bash("printf x > output/a.txt"), done] })
  let uploads = 0
  stage.api.play.storeTrouble = () => [403, "hangup" as const][uploads++]

  expect(await stage.ended, stage.printed()).toBe(0)
  expect(uploads).toBe(3)
  expect(stage.api.seen.outputs.get("a.txt")?.text).toBe("x")
})

test("an output that the API refuses fails the run and is named", async () => {
  const stage = await startStage({ script: [bash("printf x > output/a.txt"), done] })
  stage.api.play.trouble = (path) => (path.endsWith("outputs/prepare") ? 413 : undefined)

  expect(await stage.ended, stage.printed()).toBe(0)
  expect(stage.api.seen.failed?.error).toBe("The output file a.txt could not be stored: Trouble was asked for.")
  expect(stage.api.seen.failed?.result).toBe("Done.")
})
