import { rmSync } from "node:fs"
import { access, chmod, constants, lstat, mkdir, readdir, realpath, rm, writeFile } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { AliasName, type CloneSource, MountingPoint, RepositoryPath } from "../../core/git.ts"
import { closeFolder, createWay, inside, openFolder } from "./checkpoint/folder.ts"
import { lastWords, runCommand } from "./command.ts"
import { clone, GitFailed } from "./git.ts"
import { giveTo, type Isolation } from "./isolation.ts"
import type { Logs } from "./logs.ts"
import { withKeys } from "./ssh.ts"

export type Workplace = {
  /** The workspace. */
  root: string
  isolation: Isolation
  logs: Pick<Logs, "say">
  gitConfig: string | undefined
  signal: AbortSignal
}

/**
 * Clones what is not there yet, each repository with its own keys, and gives it to the agent's user. Answers those that were cloned.
 * Throws with a message for the person who asked.
 */
export const cloneAll = async (place: Workplace, repositories: CloneSource[]): Promise<CloneSource[]> => {
  const cloned: CloneSource[] = []
  for (const repository of repositories) {
    const { name, folder, tag } = repository
    try {
      const target = await makeRoom(place.root, folder)
      if (!target) place.logs.say("daemon", `${folder} is there already: the repository ${name} is not cloned again`)
      else {
        place.logs.say("daemon", `Cloning the repository ${name} at ${tag} to ${folder}`)
        await cloneOne(place, repository, target)
        cloned.push(repository)
      }
    } catch (error) {
      if (!(error instanceof GitFailed)) throw error
      throw new Error(`The repository ${name} could not be cloned at ${tag}: ${error.message}`, { cause: error })
    }
  }
  return cloned
}

/** Whether something is in the repository's folder: it is not cloned again. */
export const isInPlace = ({ root }: Pick<Workplace, "root">, { folder }: CloneSource): Promise<boolean> =>
  makeRoom(root, folder).then(
    (target) => target === undefined,
    () => false,
  )

const cloneOne = async ({ root, isolation, gitConfig, signal }: Workplace, repository: CloneSource, target: string) => {
  const { url, tag: ref, folder, private_keys } = repository
  try {
    await withKeys(private_keys, undefined, (git) => clone({ ...git, config: gitConfig, url, ref, target, signal }))
  } catch (error) {
    // Half a clone would pass for a whole one in the next turn.
    await rm(target, { recursive: true, force: true })
    throw error
  }
  // With the folders on the way to it, and not before: git refuses to work in what belongs to somebody else.
  if (isolation.user) await giveTo(join(root, folder.split("/")[0]!), isolation.user)
}

/**
 * Removes a clone, if it is still there: whatever its setup script has laid on the way to it is not followed. Where that is impossible,
 * since it leads through a link or through something that is no folder by now, it is left and said.
 */
export const removeClone = ({ root, logs }: Pick<Workplace, "root" | "logs">, folder: string) => {
  const workspace = openFolder(root)
  const way = createWay(workspace)
  try {
    const parent = dirname(folder)
    rmSync(inside(way.enter(parent === "." ? "" : parent), basename(folder)), { recursive: true, force: true })
  } catch (error) {
    logs.say("daemon", `${folder} could not be removed: ${error instanceof Error ? error.message : error}`)
  } finally {
    way.close()
    closeFolder(workspace)
  }
}

/** The folder to clone to, with its parents made; nothing where something is in it already. No link is followed on the way. */
const makeRoom = async (root: string, folder: string): Promise<string | undefined> => {
  if (!MountingPoint.safeParse(folder).success || folder.startsWith("/"))
    throw new GitFailed(`${JSON.stringify(folder)} is not a folder of the workspace`)
  let path = await realpath(root)
  for (const part of folder.split("/")) {
    path = join(path, part)
    const found = await lstat(path).catch(() => undefined)
    if (found && !found.isDirectory()) throw new GitFailed(`${folder} leads through something that is not a folder`)
    if (!found) await mkdir(path)
  }
  return (await readdir(path)).length > 0 ? undefined : path
}

/** Runs the setup script of a repository as the agent would. Throws with its last words where it fails. */
export const setUp = async (place: Workplace, environment: Record<string, string>, repository: CloneSource) => {
  const { name, folder, setup_script: script } = repository
  if (script === null) return
  const cwd = join(place.root, folder)
  const path = fileIn(cwd, script)
  if (!(await isThere(path, constants.R_OK))) throw new Error(`The repository ${name} has no ${script} at ${repository.tag}`)
  place.logs.say("daemon", `Running ${script} of the repository ${name}`)
  const program = (await isThere(path, constants.X_OK)) ? [path] : ["/bin/sh", path]
  const ran = await runCommand([...place.isolation.wrapper, ...program], {
    cwd,
    environment,
    user: place.isolation.user,
    signal: place.signal,
    onLine: (source, line) => place.logs.say(`agent_${source}`, line),
  })
  if (ran.code === 0) return
  const how = ran.missing ? "could not be started" : ran.code === null ? "was killed" : `ended with exit code ${ran.code}`
  throw new Error(`The setup script ${script} of the repository ${name} ${how}: ${lastWords(ran) || "it said nothing"}`)
}

/** Puts a command into `bin` for every alias, which runs its target in the repository. The first of a name counts. */
export const linkAliases = async ({ root, logs }: Workplace, bin: string, repositories: CloneSource[]) => {
  await mkdir(bin, { recursive: true })
  await chmod(bin, 0o755)
  const taken = new Set<string>()
  for (const { name: repository, folder, aliases } of repositories) {
    for (const { name, target } of aliases) {
      if (!AliasName.safeParse(name).success) throw new Error(`${JSON.stringify(name)} is not the name of a command`)
      const path = fileIn(join(root, folder), target)
      if (taken.has(name)) logs.say("daemon", `The alias ${name} of ${folder} is another repository's already`)
      else await writeFile(join(bin, name), `#!/bin/sh\nexec ${quoted(path)} "$@"\n`, { mode: 0o755 })
      if (!(await isThere(path, constants.X_OK)))
        logs.say("daemon", `The alias ${name} of the repository ${repository} runs ${target}, which is no program in ${folder}`)
      taken.add(name)
    }
  }
}

const fileIn = (folder: string, path: string) => {
  if (!RepositoryPath.safeParse(path).success) throw new Error(`${JSON.stringify(path)} is not a path in a repository`)
  return join(folder, path)
}

const isThere = (path: string, mode: number) =>
  access(path, mode).then(
    () => true,
    () => false,
  )

/** A word for the shell, whatever is in it. */
const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`
