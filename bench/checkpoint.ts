import { execSync } from "node:child_process"
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createCheckpoints } from "../task-image/daemon/checkpoint/checkpoints.ts"
import { createFolderStore } from "../task-image/test/folder-store.ts"
import { makeTree } from "../task-image/test/tree.ts"

// `npm run bench:checkpoint [folder]`: bytes, objects and time of checkpoints of a generated tree and of a real one (this project's
// node_modules, or the folder that is named), beside tar | zstd and restic where they are installed (Debian packages). Everything lies
// in memory: disks are too noisy. Restores are timed in turns, and the median is shown: whoever writes first to memory that the machine
// has not used yet waits for it. Other times are for a look.

const real = process.argv[2] ?? join(import.meta.dirname, "../node_modules")
const base = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "dormouse-bench-"))
const has = (program: string) => existsSync(`/usr/bin/${program}`)
const shell = (command: string) =>
  execSync(command, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, RESTIC_PASSWORD: "bench", RESTIC_CACHE_DIR: join(base, "cache") },
  })

const turns = 5

interface Figure {
  bytes?: number
  objects?: number
  seconds: number
}

interface Saved {
  figures: Record<string, Figure>
  restore: (to: string) => unknown
}

const measure = async (work: () => unknown, count: () => Partial<Figure> = () => ({})): Promise<Figure> => {
  const began = performance.now()
  await work()
  return { seconds: (performance.now() - began) / 1000, ...count() }
}

/** A file that is a little larger than a line's change would be noticed in. */
const edit = (tree: string) => appendFileSync(join(tree, "one-line.js"), "// one line\n")

const ours = async (tree: string, target: string): Promise<Saved> => {
  const store = createFolderStore(join(target, "store"))
  const count = () => {
    const { puts, bytes } = store.take()
    return { objects: puts, bytes }
  }
  const container = (path: string) => createCheckpoints({ runId: "run_1", roots: [{ name: "workspace", path }], store })
  const { save } = container(tree)
  const figures = {
    first: await measure(save, count),
    unchanged: await measure(save, count),
    "one line": await measure(() => {
      edit(tree)
      return save()
    }, count),
  }
  return { figures, restore: (to) => container(to).restore(store.segments()) }
}

const tar = async (tree: string, target: string): Promise<Saved> => {
  const archive = join(target, "tree.tar.zst")
  const count = () => ({ objects: 1, bytes: statSync(archive).size })
  const first = await measure(() => shell(`tar -cf - -C ${tree} . | zstd -q -3 -T2 -o ${archive}`), count)
  return { figures: { first }, restore: (to) => shell(`mkdir ${to} && zstd -dcq ${archive} | tar -xf - -C ${to}`) }
}

const restic = async (tree: string, target: string): Promise<Saved> => {
  const repository = join(target, "restic")
  shell(`restic init -q -r ${repository}`)
  const size = () => ({
    bytes: Number(shell(`du -sb ${repository}`).toString().split("\t")[0]),
    objects: Number(shell(`find ${repository} -type f | wc -l`)),
  })
  let before = size()
  const count = () => {
    const now = size()
    const grown = { bytes: now.bytes - before.bytes, objects: now.objects - before.objects }
    before = now
    return grown
  }
  const backup = () => shell(`restic backup -q -r ${repository} ${tree}`)
  const first = await measure(backup, count)
  const unchanged = await measure(backup, count)
  edit(tree)
  const line = await measure(backup, count)
  const restore = (to: string) => shell(`restic restore latest -q -r ${repository} --target ${to}`)
  return { figures: { first, unchanged, "one line": line }, restore }
}

const show = (tool: string, figures: Record<string, Figure>) => {
  for (const [what, { bytes, objects, seconds }] of Object.entries(figures)) {
    const stored = bytes === undefined ? "" : `${bytes.toLocaleString("en")} bytes, ${objects} objects, `
    console.log(`  ${tool.padEnd(12)}${what.padEnd(12)}${stored}${seconds.toFixed(2)} s`)
  }
}

const compare = async (name: string, tree: string) => {
  console.log(
    `${name}: ${Number(shell(`find ${tree} -type f | wc -l`)).toLocaleString("en")} files, ${shell(`du -sh ${tree}`).toString().split("\t")[0]}`,
  )
  edit(tree)
  const restores = new Map<string, Saved["restore"]>()
  for (const [tool, run] of Object.entries({ ours, tar, restic })) {
    if (tool !== "ours" && !(has(tool) && has("zstd"))) continue
    const target = join(base, `${name}-${tool}`)
    mkdirSync(target)
    const { figures, restore } = await run(tree, target)
    show(tool, figures)
    restores.set(tool, restore)
  }
  for (const [tool, seconds] of await inTurns(restores)) show(tool, { restore: { seconds } })
}

/** The median of the seconds that each takes. */
const inTurns = async (restores: Map<string, Saved["restore"]>) => {
  const seconds = new Map([...restores.keys()].map((tool): [string, number[]] => [tool, []]))
  for (let i = 0; i < turns; i++) {
    for (const [tool, restore] of restores) {
      const to = join(base, "restored")
      seconds.get(tool)!.push((await measure(() => restore(to))).seconds)
      rmSync(to, { recursive: true })
    }
  }
  return [...seconds].map(([tool, all]): [string, number] => [tool, all.sort((a, b) => a - b)[(turns - 1) / 2]!])
}

try {
  const [generated, copied] = [join(base, "generated"), join(base, "copied")]
  makeTree(generated, { files: 20_000, large: 5 })
  await compare("generated", generated)
  shell(`cp -a ${real} ${copied}`)
  await compare("packages", copied)
} finally {
  rmSync(base, { recursive: true, force: true })
}
