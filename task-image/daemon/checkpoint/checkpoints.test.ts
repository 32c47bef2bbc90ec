import {
  appendFileSync,
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished, test, vi } from "vitest"
import { createFolderStore, type FolderStore } from "../../test/folder-store.ts"
import { makeTree, pictureOf, randomOf, textOf } from "../../test/tree.ts"
import { createCheckpoints } from "./checkpoints.ts"

const newFolder = () => {
  const folder = mkdtempSync(join(tmpdir(), "dormouse-checkpoint-"))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return folder
}

let runs = 0

/** A container: two folders of its own, and the store that it shares with those before it. */
const newContainer = (store: FolderStore = createFolderStore(newFolder())) => {
  const folder = newFolder()
  const paths = { workspace: join(folder, "workspace"), agent: join(folder, "agent") }
  const roots = Object.entries(paths).map(([name, path]) => ({ name, path }))
  const leftOut: string[] = []
  const checkpoints = createCheckpoints({
    runId: `run_${++runs}`,
    roots,
    store,
    leave: (path) => path === "agent/.cache",
    onLeftOut: (path, why) => leftOut.push(`${path}: ${why}`),
  })
  return { ...paths, ...checkpoints, store, leftOut, picture: () => [pictureOf(paths.workspace), pictureOf(paths.agent)] }
}

/** The next container of the task, with everything restored. */
const successorOf = async ({ store }: { store: FolderStore }) => {
  const next = newContainer(store)
  await next.restore(store.segments())
  store.take()
  return next
}

/** Resolves once a file's last change is a while ago by the file system's clock; else the next checkpoint reads it once more. */
const untilSettled = (path: string) =>
  vi.waitFor(() => {
    const probe = mkdtempSync(join(tmpdir(), "dormouse-now-"))
    const { ctimeMs } = statSync(probe)
    rmdirSync(probe)
    expect(ctimeMs - statSync(path).ctimeMs).toBeGreaterThan(30)
  }, 10_000)

test("bytes and objects of a small tree are those of the golden file", async () => {
  const container = newContainer()
  makeTree(container.workspace, { files: 1500 })
  const figures: Record<string, { puts: number; bytes: number }> = {}
  const measure = async (what: string, change: () => void) => {
    change()
    await container.save()
    const { puts, bytes } = container.store.take()
    figures[what] = { puts, bytes }
  }
  const edit = (path: string, text: string) => {
    appendFileSync(join(container.workspace, path), text)
    utimesSync(join(container.workspace, path), 1_800_000_000, 1_800_000_000)
  }
  await measure("first", () => undefined)
  await measure("unchanged", () => undefined)
  await measure("one line in a small file", () => edit("src/part0/file0.js", "// one line\n"))
  await measure("one line at the end of a large file", () => edit("dist/bundle0.js", "// one line\n"))
  await measure("a folder renamed", () =>
    renameSync(join(container.workspace, "node_modules/package3"), join(container.workspace, "node_modules/renamed")),
  )
  await measure("a folder removed", () => rmSync(join(container.workspace, "node_modules/package4"), { recursive: true }))

  expect(figures.unchanged).toEqual({ puts: 0, bytes: 0 })
  expect(figures["one line in a small file"]!.puts).toBeLessThanOrEqual(2)
  expect(figures["one line in a small file"]!.bytes).toBeLessThanOrEqual(4096)
  // The times of files are in what is stored, and compress to a byte more or less.
  const rounded = (name: string, value: unknown) => (name === "bytes" ? Number(Number(value).toPrecision(2)) : value)
  await expect(`${JSON.stringify(figures, rounded, 2)}\n`).toMatchFileSnapshot("../../../bench/golden/checkpoint.json")
})

test("what comes back in the next container is what was there: contents, permissions, times, links, empty things", async () => {
  const container = newContainer()
  makeTree(container.workspace, { files: 200 })
  writeFileSync(join(container.workspace, "-rf * ${HOME}; é\n🐭"), "odd")
  writeFileSync(join(container.workspace, "tool.sh"), "#!/bin/sh\n", { mode: 0o755 })
  mkdirSync(join(container.workspace, "closed"))
  writeFileSync(join(container.workspace, "closed/secret"), "x", { mode: 0o400 })
  chmodSync(join(container.workspace, "closed"), 0o555)
  symlinkSync("nowhere", join(container.workspace, "dangling"))
  writeFileSync(join(container.agent, "session.jsonl"), "{}\n")
  await container.save()

  const next = await successorOf(container)
  expect(next.picture()).toEqual(container.picture())
  expect(await next.save()).toBe(false)
  expect(next.store.take()).toEqual({ puts: 0, bytes: 0, commits: 0 })
  chmodSync(join(container.workspace, "closed"), 0o755)
  chmodSync(join(next.workspace, "closed"), 0o755)
})

test("a checkpoint of a restored tree holds what has changed since, and both follow each other", async () => {
  const first = newContainer()
  makeTree(first.workspace, { files: 300 })
  await first.save()
  const second = await successorOf(first)
  appendFileSync(join(second.workspace, "src/part0/file0.js"), "changed\n")
  unlinkSync(join(second.workspace, "empty.txt"))
  writeFileSync(join(second.agent, "session.jsonl"), "{}\n")
  await second.save()
  expect(second.store.take().puts).toBe(2)
  const third = await successorOf(second)
  expect(third.picture()).toEqual(second.picture())
})

test("a change is found even when size and time of the file say nothing", async () => {
  const container = newContainer()
  const path = join(container.workspace, "file")
  writeFileSync(path, "before")
  await untilSettled(path)
  await container.save()
  const { atime, mtime } = statSync(path)
  writeFileSync(path, "behind")
  utimesSync(path, atime, mtime)
  expect(await container.save()).toBe(true)
  const next = await successorOf(container)
  expect(readFileSync(join(next.workspace, "file"), "utf8")).toBe("behind")
})

test("a file that was touched costs its entry and no content", async () => {
  const container = newContainer()
  writeFileSync(join(container.workspace, "file"), textOf(randomOf(1), 100_000))
  await container.save()
  container.store.take()
  utimesSync(join(container.workspace, "file"), 1, 1)
  await container.save()
  const { puts, bytes } = container.store.take()
  expect(puts).toBe(1)
  expect(bytes).toBeLessThan(300)
})

test("what is no file, or not to be kept, is left out and named", async () => {
  const container = newContainer()
  const { execFileSync } = await import("node:child_process")
  execFileSync("mkfifo", [join(container.workspace, "pipe")])
  mkdirSync(join(container.agent, ".cache"))
  writeFileSync(join(container.agent, ".cache/large"), "x")
  writeFileSync(Buffer.concat([Buffer.from(`${container.workspace}/bad`), Buffer.of(0xff)]), "x")
  writeFileSync(join(container.workspace, "kept"), "x", { mode: 0o4755 })
  chmodSync(join(container.workspace, "kept"), 0o4755)
  await container.save()
  expect(container.leftOut.sort()).toEqual(["workspace/bad\ufffd: its name is not UTF-8", "workspace/pipe: it is no file"])
  expect([...container.chain().tree]).toEqual([["workspace/kept", expect.objectContaining({ mode: 0o755 })]])
})

test("what could not be restored is left out and named, and everything else comes back", async () => {
  const container = newContainer()
  const down = (depth: number) => Array.from({ length: depth }, () => "deep").join("/")
  mkdirSync(join(container.workspace, down(600)), { recursive: true })
  writeFileSync(join(container.workspace, "precious.txt"), "x")
  writeFileSync(join(container.workspace, "vast.img"), "")
  truncateSync(join(container.workspace, "vast.img"), 101 * 1024 ** 3)
  symlinkSync(Buffer.of(0xff), join(container.workspace, "odd"))
  await container.save()
  expect(container.leftOut.sort()).toEqual([
    `workspace/${down(512)}: its path is too long or too deep`,
    "workspace/odd: what it links to is not UTF-8",
    "workspace/vast.img: it is more than there is room for: a checkpoint holds files of 100 GB in all",
  ])
  const next = await successorOf(container)
  expect(Object.keys(pictureOf(next.workspace))).toHaveLength(511 + 1)
  expect(readFileSync(join(next.workspace, "precious.txt"), "utf8")).toBe("x")
})

test("a second name of a file is kept as a file of its own, with the same content stored once", async () => {
  const container = newContainer()
  writeFileSync(join(container.workspace, "a"), textOf(randomOf(1), 50_000))
  linkSync(join(container.workspace, "a"), join(container.workspace, "b"))
  await container.save()
  const next = await successorOf(container)
  appendFileSync(join(next.workspace, "a"), "more")
  expect(statSync(join(next.workspace, "b")).size).toBe(statSync(join(container.workspace, "b")).size)
  expect([...container.chain().packs.values()].map(({ bytes }) => bytes)).toEqual([statSync(join(container.workspace, "b")).size])
})

test("saving needs no room on the disk: what is in memory is kept from there, and time is told without a new file", async () => {
  const folder = newFolder()
  const store = createFolderStore(newFolder())
  const paths = [join(folder, "workspace"), join(folder, "memory"), join(folder, "restored")] as const
  let text = "1"
  const container = (runId: string, memory: string) => {
    const roots = [
      { name: "workspace", path: paths[0] },
      { name: "memory", path: memory, contents: () => ({ "note.txt": text }) },
    ]
    return createCheckpoints({ runId, roots, store })
  }
  const { save } = container("run_a", paths[1])
  writeFileSync(join(paths[0], "file"), "x")
  await untilSettled(join(paths[0], "file"))
  // A file in a folder's place takes nothing new.
  rmSync(paths[1], { recursive: true })
  writeFileSync(paths[1], "")
  vi.stubEnv("TMPDIR", paths[1])
  onTestFinished(() => void vi.unstubAllEnvs())

  expect([await save(), await save()]).toEqual([true, false])
  text = "2"
  expect(await save()).toBe(true)
  await container("run_b", paths[2]).restore(store.segments())
  expect(readFileSync(join(paths[2], "note.txt"), "utf8")).toBe("2")
})

test("a folder that was swapped for a link is not followed, and the checkpoint says so", async () => {
  const container = newContainer()
  rmSync(container.workspace, { recursive: true })
  symlinkSync("/etc", container.workspace)
  await container.save()
  expect(container.leftOut).toEqual(["workspace: it is not a folder any more"])
  expect(container.chain().tree.size).toBe(0)
})

test("what was in the folders before a restore is gone", async () => {
  const container = newContainer()
  writeFileSync(join(container.workspace, "kept"), "x")
  await container.save()
  const next = newContainer(container.store)
  writeFileSync(join(next.workspace, "of the image"), "x")
  mkdirSync(join(next.agent, "deep/er"), { recursive: true })
  await next.restore(container.store.segments())
  expect(next.picture()).toEqual(container.picture())
})

test("a checkpoint whose head somebody else has moved is refused, and the one before still counts", async () => {
  const container = newContainer()
  writeFileSync(join(container.workspace, "file"), "1")
  await container.save()
  const rival = await successorOf(container)
  writeFileSync(join(rival.workspace, "file"), "2")
  await rival.save()
  writeFileSync(join(container.workspace, "file"), "3")
  await expect(container.save()).rejects.toThrow("The head is not")
  const next = await successorOf(container)
  expect(readFileSync(join(next.workspace, "file"), "utf8")).toBe("2")
})

test("over 200 random checkpoints the chain stays short, and never takes much more than what it holds", async () => {
  const container = newContainer()
  const random = randomOf(7)
  const text = textOf(random, 500_000)
  const change = () => {
    for (let i = 0; i < 3; i++) {
      const path = join(container.workspace, `file${Math.floor(random() * 40)}`)
      if (random() < 0.2) rmSync(path, { force: true })
      else writeFileSync(path, text.slice(random() * 400_000).slice(0, random() * 100_000))
    }
  }
  let worst = 0
  for (let i = 0; i < 200; i++) {
    change()
    await container.save()
    const { packs, segments } = container.chain()
    expect(segments.length).toBeLessThanOrEqual(64)
    const held = Object.keys(pictureOf(container.workspace)).reduce(
      (sum, path) => sum + statSync(join(container.workspace, path)).size,
      0,
    )
    const stored = [...packs.values()].reduce((sum, { bytes }) => sum + bytes, 0)
    // Below a megabyte nothing is worth being written anew.
    worst = Math.max(worst, stored / (held + 1024 ** 2))
  }
  expect(worst).toBeLessThanOrEqual(1.3)
  const next = await successorOf(container)
  expect(next.picture()).toEqual(container.picture())
})
