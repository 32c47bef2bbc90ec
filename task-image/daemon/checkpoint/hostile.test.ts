import { linkSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { constants, zstdCompressSync } from "node:zlib"
import fc from "fast-check"
import { beforeEach, describe, expect, onTestFinished, test } from "vitest"
import { pictureOf } from "../../test/tree.ts"
import { createCheckpoints } from "./checkpoints.ts"
import { packHash } from "./packs.ts"
import type { Store } from "./store.ts"

// Whoever can write a checkpoint is not to be trusted: an agent that got hold of its run's token could. None of these leaves a trace
// outside the folder that is restored.

let world: string
let before: Record<string, string>

/** A folder to restore to, in the middle of things that are nobody's business. */
beforeEach(() => {
  world = mkdtempSync(join(tmpdir(), "dormouse-hostile-"))
  mkdirSync(join(world, "root"))
  mkdirSync(join(world, "outside"))
  writeFileSync(join(world, "outside/canary"), "alive", { mode: 0o600 })
  writeFileSync(join(world, "canary"), "alive")
  before = outside()
  const made = world
  onTestFinished(() => rmSync(made, { recursive: true, force: true }))
})

/** Everything but the folder itself. */
const outside = () => Object.fromEntries(Object.entries(pictureOf(world)).filter(([path]) => !/^(root|moved)(\/|$)/.test(path)))
const inRoot = () => pictureOf(join(world, "root"))

type Objects = Record<string, Buffer>

const content = Buffer.from("the content of every file here")
const zstd = (bytes: Buffer | string) => zstdCompressSync(Buffer.from(bytes), { params: { [constants.ZSTD_c_checksumFlag]: 1 } })
const stored = zstd(content)
const pack = ["r/p1", content.length, stored.length, packHash(stored)]
const piece = [0, 0, content.length, "hash"]
const file = (path: unknown, ...rest: unknown[]) => ["f", path, 0o644, 0, ...(rest.length ? rest : piece)]
const folder = (path: unknown, mode: unknown = 0o755) => ["d", path, mode]
const link = (path: unknown, target: unknown) => ["l", path, target]

const segment = (entries: unknown[], changes: object = {}) =>
  zstd(JSON.stringify({ version: 1, previous: null, packs: [pack], refs: ["r/p1"], entries, ...changes }))

const restore = async (objects: Objects, onGet: (names: string[]) => void = () => undefined) => {
  const store: Store = {
    put: () => Promise.reject(new Error("Nothing is stored here")),
    commit: () => Promise.reject(new Error("Nothing is stored here")),
    get: (names) => {
      onGet(names)
      return Promise.resolve(names.map((name) => objects[name]!))
    },
  }
  const checkpoints = createCheckpoints({ runId: "run_2", roots: [{ name: "w", path: join(world, "root") }], store })
  const segments = Object.keys(objects).filter((name) => name.startsWith("r/s"))
  return checkpoints.restore(segments).then(
    () => "restored",
    (error: unknown) => (error instanceof Error ? `${error.name}: ${error.message}` : error),
  )
}

const long = "x".repeat(256)
const deep = Array.from({ length: 600 }, () => "d")

/** Paths that lead elsewhere, or are none. */
const paths: unknown[] = [
  "",
  "w",
  "w/",
  "/w/a",
  "/etc/passwd",
  "../canary",
  "w/..",
  "w/../canary",
  "w/../../etc/passwd",
  "w/./a",
  "w/.",
  "w//a",
  "w/a/",
  "w/a/../../canary",
  "w/a/../b",
  "x/a",
  "W/a",
  "agent/a",
  "w\\a",
  "..\\canary",
  "w/\0",
  "w/a\0b",
  "w/\ud800",
  `w/${long}`,
  `w/${"é".repeat(128)}`,
  ["w", ...deep].join("/"),
  `w/${"a/".repeat(2100)}b`,
  "w/missing/a",
  ".",
  "..",
  "/",
  "w/a/..",
  null,
  7,
  {},
  ["w/a"],
]

describe("a path that is none", () => {
  test.each(paths.map((path) => [path]))("%j", async (path) => {
    for (const entry of [file(path), folder(path), link(path, "/etc")]) {
      expect(await restore({ "r/s1": segment([entry]), "r/p1": stored })).toMatch(/^Damaged/)
      expect(inRoot()).toEqual({})
    }
    expect(outside()).toEqual(before)
  })
})

/** What is in no order, of no kind, or not allowed: refused before anything is touched. */
const refused: Record<string, [unknown[], object?]> = {
  "a file in a link to a folder outside": [[link("w/a", "../outside"), file("w/a/canary")]],
  "a file in an absolute link": [[link("w/a", "/tmp"), file("w/a/canary")]],
  "a folder in a link": [[link("w/a", "../outside"), folder("w/a/b")]],
  "a link in a link": [[link("w/a", "../outside"), link("w/a/b", "c")]],
  "a file in a file": [[file("w/a"), file("w/a/b")]],
  "a file deep below a link": [[link("w/a", ".."), folder("w/a/b"), file("w/a/b/c")]],
  "the same path twice": [[file("w/a"), link("w/a", "../canary")]],
  "a link and then a file of its name": [[link("w/a", "../canary"), file("w/a")]],
  "a hard link": [[["h", "w/a", "../canary"]]],
  "a device": [[["c", "w/a", 0o666, 1, 3]]],
  "a block device": [[["b", "w/a", 0o666, 8, 0]]],
  "a pipe": [[["p", "w/a", 0o644]]],
  "a socket": [[["s", "w/a", 0o644]]],
  "a kind that is not a word": [[[0, "w/a", 0o644, 0]]],
  "an entry that is no list": [[{ path: "w/a" }]],
  "an empty entry": [[[]]],
  "a setuid file": [[["f", "w/a", 0o4755, 0, ...piece]]],
  "a setgid folder": [[folder("w/a", 0o2755)]],
  "a sticky folder": [[folder("w/a", 0o1777)]],
  "a negative mode": [[folder("w/a", -1)]],
  "a mode that is no number": [[folder("w/a", "0777")]],
  "a mode with a fraction": [[folder("w/a", 0.5)]],
  "a time that is no number": [[["f", "w/a", 0o644, "now", ...piece]]],
  "a time beyond all numbers": [[["f", "w/a", 0o644, 1e300, ...piece]]],
  "a link to nothing": [[link("w/a", "")]],
  "a link with a zero byte": [[link("w/a", "a\0b")]],
  "a link of half a character": [[link("w/a", "\udfff")]],
  "a link that is too long": [[link("w/a", "x".repeat(5000))]],
  "a link without a target": [[["l", "w/a"]]],
  "a piece that is cut off": [[["f", "w/a", 0o644, 0, 0, 0]]],
  "a piece before its pack": [[file("w/a", 0, -1, 5, "hash")]],
  "a piece behind its pack": [[file("w/a", 0, content.length, 1, "hash")]],
  "a piece beyond all numbers": [[file("w/a", 0, 2 ** 53, 1, "hash")]],
  "a piece of negative length": [[file("w/a", 0, 5, -5, "hash")]],
  "a piece in no pack": [[file("w/a", 1, 0, 5, "hash")]],
  "a piece in a pack of a wrong name": [[file("w/a", "__proto__", 0, 5, "hash")]],
  "a pack that nobody brought": [[file("w/a")], { packs: [] }],
  "a pack that lies elsewhere": [[file("w/a")], { packs: [["../other/p1", 30, 30, "x"]], refs: ["../other/p1"] }],
  "a pack of a negative size": [[file("w/a")], { packs: [["r/p1", -1, 30, "x"]] }],
  "a pack that is too large": [[file("w/a")], { packs: [["r/p1", 2 ** 33, 30, "x"]] }],
  "more bytes than any disk": [
    [["f", "w/a", 0o644, 0, ...Array.from({ length: 13_000 }, () => [0, 0, 8 * 1024 ** 2, "h"]).flat()]],
    {
      packs: [["r/p1", 8 * 1024 ** 2, 1000, "x"]],
    },
  ],
  "another version": [[file("w/a")], { version: 2 }],
  "a segment before the first": [[file("w/a")], { previous: "r/s0" }],
  "no entries": [[], { entries: undefined }],
  "entries that are no list": [[], { entries: { length: 1 } }],
}

test.each(Object.entries(refused))("refused before anything is touched: %s", async (_, [entries, changes]) => {
  writeFileSync(join(world, "root/from before"), "x")
  expect(await restore({ "r/s1": segment(entries, changes), "r/p1": stored })).toMatch(/^Damaged/)
  expect(Object.keys(inRoot())).toEqual(["from before"])
  expect(outside()).toEqual(before)
})

const halfOf = (bytes: Buffer) => bytes.subarray(0, bytes.length / 2)
const flipped = (bytes: Buffer, at: number) => {
  const changed = Buffer.from(bytes)
  changed[at]! ^= 1
  return changed
}
const good = segment([file("w/a")])
const zeros = zstd(Buffer.alloc(64 * 1024 ** 2))
const bomb = (bytes: number) =>
  segment([file("w/a", 0, 0, bytes, "hash")], { packs: [["r/p1", bytes, zeros.length, packHash(zeros)]] })

/** Objects that are not what they were. */
const spoilt: Record<string, Objects> = {
  "a segment that is cut off": { "r/s1": halfOf(good), "r/p1": stored },
  "a segment with a changed byte": { "r/s1": flipped(good, good.length - 9), "r/p1": stored },
  "a segment that is empty": { "r/s1": Buffer.alloc(0), "r/p1": stored },
  "a segment that is no zstd": { "r/s1": Buffer.from("{}"), "r/p1": stored },
  "a segment that is no JSON": { "r/s1": zstd("[[["), "r/p1": stored },
  "a segment that is null": { "r/s1": zstd("null"), "r/p1": stored },
  "a pack that is cut off": { "r/s1": good, "r/p1": halfOf(stored) },
  "a pack with a changed byte": { "r/s1": good, "r/p1": flipped(stored, 9) },
  "a pack that is another": { "r/s1": good, "r/p1": zstd("x".repeat(content.length)) },
  "a pack that is empty": { "r/s1": good, "r/p1": Buffer.alloc(0) },
  "a pack whose hash is wrong": {
    "r/s1": segment([file("w/a")], { packs: [["r/p1", content.length, stored.length, "x".repeat(43)]] }),
    "r/p1": stored,
  },
  "a pack that is shorter than was said": {
    "r/s1": segment([file("w/a", 0, 0, 100, "h")], { packs: [["r/p1", 100, stored.length, packHash(stored)]] }),
    "r/p1": stored,
  },
  "a pack that grows to 64 MB": { "r/s1": bomb(1024), "r/p1": zeros },
  "a pack that grows to a little more than was said": { "r/s1": bomb(8 * 1024 ** 2), "r/p1": zeros },
  "a segment that grows to half a gigabyte": { "r/s1": zstd(Buffer.alloc(512 * 1024 ** 2, " ")), "r/p1": stored },
  "a segment that does not follow": { "r/s1": good, "r/s2": segment([file("w/b")]), "r/p1": stored },
}

test.each(Object.entries(spoilt))("found out: %s", async (_, objects) => {
  expect(await restore(objects)).toMatch(/^Damaged/)
  expect(outside()).toEqual(before)
})

test("too many files are refused", async () => {
  const entries = Array.from({ length: 2_000_001 }, (_, i) => ["d", `w/${i}`, 493])
  expect(await restore({ "r/s1": segment(entries) })).toBe("Damaged: The checkpoint is damaged: it holds too many files")
  expect(inRoot()).toEqual({})
})

describe("what is odd but stays inside is restored as it is", () => {
  test.each([
    ["names that differ in case alone", [file("w/A"), file("w/a")], ["A", "a"]],
    ["names that differ in their Unicode form alone", [file("w/\u00e9"), file("w/e\u0301")], ["e\u0301", "\u00e9"]],
    ["links that lead anywhere", [link("w/a", "../canary"), link("w/b", "/etc/passwd"), link("w/c", "c")], ["a", "b", "c"]],
    ["a folder beside a link of its name with a dot", [link("w/a", ".."), folder("w/a."), file("w/a./b")], ["a", "a.", "a./b"]],
    [
      "names like those of a program's own",
      [folder("w/__proto__"), file("w/__proto__/constructor"), file("w/-rf")],
      ["-rf", "__proto__", "__proto__/constructor"],
    ],
    ["a folder named after its file", [file("w/a/b"), folder("w/a")], ["a", "a/b"]],
  ])("%s", async (_, entries, names) => {
    expect(await restore({ "r/s1": segment(entries), "r/p1": stored })).toBe("restored")
    expect(Object.keys(inRoot()).sort()).toEqual(names.sort())
    expect(outside()).toEqual(before)
  })
})

describe("whoever swaps things while they are restored gets nothing outside", () => {
  const entries = [folder("w/a"), folder("w/a/b"), file("w/a/b/c", ...piece, 1, 0, 5, "hash"), file("w/z"), link("w/a/l", "x")]
  const second = zstd("other")
  const objects = {
    "r/s1": segment(entries, { packs: [pack, ["r/p2", 5, second.length, packHash(second)]], refs: ["r/p1", "r/p2"] }),
    "r/p1": stored,
    "r/p2": second,
  }
  const root = (path: string) => join(world, "root", path)
  const swaps: Record<string, () => void> = {
    "a folder for a link": () => {
      renameSync(root("a"), join(world, "moved"))
      symlinkSync(join(world, "outside"), root("a"))
    },
    "the inner folder for a link": () => {
      renameSync(root("a/b"), join(world, "moved"))
      symlinkSync(join(world, "outside"), root("a/b"))
    },
    "a folder for a file": () => {
      renameSync(root("a/b"), join(world, "moved"))
      writeFileSync(root("a/b"), "x")
    },
    "the folder itself for a link": () => {
      renameSync(join(world, "root"), join(world, "moved"))
      symlinkSync("outside", join(world, "root"))
    },
    "a file that is to come for a link": () => symlinkSync(join(world, "canary"), root("z")),
    "a file that is to come for a second name of another": () => linkSync(join(world, "canary"), root("z")),
    "a deep file that is to come for a link": () => symlinkSync(join(world, "outside/canary"), root("a/b/c")),
    "a link that is to come for a folder": () => mkdirSync(root("a/l")),
  }
  test.each(Object.entries(swaps))("%s", async (_, swap) => {
    await restore(objects, (names) => {
      if (names[0] !== "r/p1") return
      swap()
    })
    const { root: __, ...rest } = outside()
    expect(rest).toEqual(before)
    expect(pictureOf(join(world, "outside"))).toEqual({
      canary: expect.stringContaining(Buffer.from("alive").toString("base64")),
    })
  })
})

test("whatever the entries are, nothing appears outside", async () => {
  const name = fc.constantFrom("a", "b", "..", ".", "", "A", "\0", "canary", "outside", "root")
  const path = fc.array(name, { maxLength: 4 }).map((names) => ["w", ...names].join("/"))
  const entry = fc.oneof(
    path.map((path) => file(path)),
    path.map((path) => folder(path)),
    fc.tuple(path, fc.constantFrom("..", "../outside", "/tmp", "a", "../canary")).map(([path, target]) => link(path, target)),
    path.map((path) => ["-", path]),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { maxLength: 8 }), async (entries) => {
      await restore({ "r/s1": segment(entries), "r/p1": stored })
      expect(outside()).toEqual(before)
    }),
    { numRuns: 300 },
  )
})
