import { lstat, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { expect, test } from "vitest"
import { fastForward, startStage } from "../test/stage.ts"

const done = { blocks: [{ text: "Done." }] }

test("nothing that an image has left in the workspace leads the daemon elsewhere: no link is followed, and its names are taken over", async () => {
  let outside = ""
  const image = async (workspace: string) => {
    outside = join(workspace, "../outside")
    await mkdir(outside)
    for (const name of ["data.csv", "canary.md"]) await writeFile(join(outside, name), "untouched")
    await symlink(outside, join(workspace, "input"))
    await writeFile(join(workspace, "output"), "no folder")
    await mkdir(join(workspace, "reference/guide.md/deep"), { recursive: true })
    await symlink(join(outside, "canary.md"), join(workspace, "reference/style.md"))
    await mkdir(join(workspace, "task"))
    await symlink(join(outside, "canary.md"), join(workspace, "task/TASK.md"))
    await symlink(join(outside, "new.md"), join(workspace, "task/HARNESS.md"))
  }
  const file = (id: string, filename: string) => ({ id, filename, size_bytes: 2 })
  const stage = await startStage({
    image,
    bundle: {
      input_files: [file("file_a", "data.csv")],
      reference_files: [file("file_a", "guide.md"), file("file_b", "style.md")],
    },
    files: { file_a: "a\n", file_b: "b\n" },
    script: [done],
  })

  expect(await stage.ended, stage.printed()).toBe(0)
  expect(stage.api.seen.completed).toEqual({ result: "Done." })
  expect((await readdir(outside)).sort()).toEqual(["canary.md", "data.csv"])
  for (const name of await readdir(outside)) expect(await readFile(join(outside, name), "utf8")).toBe("untouched")
  const read = (path: string) => readFile(join(stage.workspace, path), "utf8")
  expect([await read("input/data.csv"), await read("reference/guide.md"), await read("reference/style.md")]).toEqual([
    "a\n",
    "a\n",
    "b\n",
  ])
  expect(await read("task/TASK.md")).toContain("Write a report about dormice.")
  for (const folder of ["task", "input", "reference", "output"])
    expect((await lstat(join(stage.workspace, folder))).isDirectory(), folder).toBe(true)
})

test("a name that no file system takes is cut, and keeps its ending", async () => {
  const long = { id: "file_a", filename: `${"ä".repeat(200)}.csv`, size_bytes: 2 }
  const endless = { id: "file_a", filename: `x.${"y".repeat(300)}`, size_bytes: 2 }
  const stage = await startStage({
    bundle: { input_files: [long, long, endless] },
    files: { file_a: "a\n" },
    script: [done],
  })

  expect(await stage.ended, stage.printed()).toBe(0)
  const stem = "ä".repeat(123)
  const names = await readdir(join(stage.workspace, "input"))
  expect(names.sort()).toEqual([`x.${"y".repeat(248)}`, `${stem}-2.csv`, `${stem}.csv`])
})

test("a file that does not come whole is fetched again, and then fails the run", async () => {
  const stage = await startStage({
    bundle: { input_files: [{ id: "file_a", filename: "data.csv", size_bytes: 3 }] },
    files: { file_a: "a\n" },
    script: [],
  })

  expect(await fastForward(stage), stage.printed()).toBe(0)
  expect(stage.api.seen.failed?.error).toBe("The file data.csv could not be read: it has 3 bytes, and 2 came")
  expect(stage.api.seen.requests.filter((path) => path.includes("/files/")).length).toBeGreaterThan(1)
  expect(stage.model.requests).toEqual([])
})
