import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, utimesSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"

/** A sequence of numbers below 1 that is the same for the same seed. */
export const randomOf = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
}

const words = Array.from({ length: 600 }, (_, i) =>
  i
    .toString(36)
    .padStart(2, "x")
    .repeat((i % 4) + 1),
)

/** Text that compresses about as source code does. */
export const textOf = (random: () => number, bytes: number) => {
  const lines: string[] = []
  for (let length = 0; length < bytes; ) {
    const line = Array.from({ length: 3 + Math.floor(random() * 9) }, () => words[Math.floor(random() ** 2 * words.length)]).join(
      " ",
    )
    lines.push(`${"  ".repeat(Math.floor(random() * 4))}${line};`)
    length += lines.at(-1)!.length + 1
  }
  return `${lines.join("\n")}\n`
}

/** Long ago, so that nothing in the tree counts as just changed, and always the same. */
const stamped = new Date("2026-01-02T03:04:05.678Z")

/** Makes a tree like a project with its packages: many small files, some large ones, links, empty things. */
export const makeTree = (root: string, { files, seed = 1, large = 2 }: { files: number; seed?: number; large?: number }) => {
  const random = randomOf(seed)
  const write = (path: string, content: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), content)
    utimesSync(join(root, path), stamped, stamped)
  }
  for (let i = 0; i < files; i++) {
    const folder = i % 10 === 0 ? `src/part${i % 7}` : `node_modules/package${Math.floor(i / 40)}/lib`
    write(`${folder}/file${i}.js`, textOf(random, Math.floor(20 + random() ** 6 * 60_000)))
  }
  for (let i = 0; i < large; i++) write(`dist/bundle${i}.js`, textOf(random, 900_000))
  write("empty.txt", "")
  mkdirSync(join(root, "nothing"))
  symlinkSync("src", join(root, "sources"))
  symlinkSync("/etc/passwd", join(root, "elsewhere"))
}

/** Everything below a folder, in a form that can be compared. */
export const pictureOf = (root: string): Record<string, string> => Object.fromEntries(picturesOf(root, ""))

const picturesOf = (root: string, below: string): [string, string][] =>
  readdirSync(join(root, below))
    .sort()
    .flatMap((name): [string, string][] => {
      const path = below ? `${below}/${name}` : name
      const full = join(root, path)
      const stat = lstatSync(full)
      const mode = (stat.mode & 0o7777).toString(8)
      if (stat.isSymbolicLink()) return [[path, `→ ${readlinkSync(full)}`]]
      if (stat.isDirectory()) return [[path, `folder ${mode}`], ...picturesOf(root, path)]
      return [[path, `${mode} ${Math.floor(stat.mtimeMs)} ${readFileSync(full).toString("base64")}`]]
    })
