import { spawnSync } from "node:child_process"
import { cpSync, globSync, mkdirSync, statSync } from "node:fs"
import { basename, join } from "node:path"

/** A Dockerfile, and what Docker does with it, for machines that have no Docker: as far as ours needs it. */

interface Step {
  verb: string
  text: string
}

export interface Stage {
  from: string
  name: string | undefined
  steps: Step[]
}

export const stagesOf = (dockerfile: string): Stage[] => {
  const stages: Stage[] = []
  for (const line of dockerfile.split("\n").filter((line) => line.trim() && !line.startsWith("#"))) {
    const [, verb = "", text = ""] = /^(\w+)\s+(.+)$/.exec(line) ?? []
    const [from = "", , name] = text.split(" ")
    if (verb === "FROM") stages.push({ from, name, steps: [] })
    else stages.at(-1)?.steps.push({ verb, text })
  }
  return stages
}

/** The command of the image. */
export const commandOf = ({ steps }: Stage): string[] => JSON.parse(steps.find(({ verb }) => verb === "CMD")!.text)

/**
 * Performs the steps of a stage in `root`, which holds what it begins from. `folders` has the root of each earlier stage by its name, and
 * the build's context as `context`. Takes a user who may chroot, where the stage runs anything.
 */
export const perform = ({ steps }: Stage, root: string, folders: Record<string, string>) => {
  let folder = "/"
  for (const { verb, text } of steps) {
    if (verb === "WORKDIR") folder = text
    else if (verb === "RUN") run(root, folder, text)
    else if (verb === "COPY") copy(join(root, folder), root, text, folders)
    else if (verb !== "CMD") throw new Error(`Nobody performs ${verb} here`)
    mkdirSync(join(root, folder), { recursive: true })
  }
}

/** Of a folder its content is copied, of a pattern whatever fits it. */
export const copy = (folder: string, root: string, text: string, folders: Record<string, string>) => {
  const words = text.split(" ")
  const from = words[0]!.startsWith("--from=") ? words.shift()!.slice("--from=".length) : "context"
  const target = words.pop()!
  const place = target.startsWith("/") ? join(root, target) : join(folder, target)
  const found = words.flatMap((word) => globSync(join(folders[from]!, word)))
  if (found.length === 0) throw new Error(`There is nothing to copy: ${text}`)
  mkdirSync(place, { recursive: true })
  for (const path of found)
    cpSync(path, statSync(path).isDirectory() ? place : join(place, basename(path)), { recursive: true, verbatimSymlinks: true })
}

const run = (root: string, folder: string, command: string) => {
  const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
  const { status, stderr } = spawnSync("chroot", [root, "/bin/sh", "-c", `cd ${folder} && ${command}`], {
    encoding: "utf8",
    env: { PATH, LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" },
  })
  if (status !== 0) throw new Error(`${command}: ${stderr}`)
}
