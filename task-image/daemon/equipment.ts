import { rmSync } from "node:fs"
import { chmod, chown, mkdir, mkdtemp } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { z } from "zod"
import type { CloneSource, Sources } from "../../core/git.ts"
import { type AgentEnvironment, agentEnvironment } from "./agent.ts"
import type { Isolation, User } from "./isolation.ts"
import { cloneAll, isInPlace, linkAliases, removeClone, setUp } from "./repositories.ts"
import type { Run } from "./run.ts"
import { installSkills, skillsFolder } from "./skills.ts"

/** What the agent has beside its workspace. */
export type Equipment = {
  /** Its home, where its transcript is too. */
  home: string
  environment: AgentEnvironment
  /** A folder of skills. */
  skills: string
  /** Clones what is not there yet, since it has been attached meanwhile. Answers what is new. */
  attach: (repositories: CloneSource[]) => Promise<CloneSource[]>
}

/**
 * Gets ready what was asked for, beside the agent's home: repositories, skills, setup scripts, aliases. Keys are used and gone before
 * anything runs that came from outside. Where the workspace is as it was, a repository that is new is left to `attach`: what fails there
 * ends a turn, and not the task. Throws with a message for the person who asked.
 */
export const equip = async (
  run: Run,
  isolation: Isolation,
  home: string,
  { repositories: all, skills }: z.infer<typeof Sources>,
  isRestored: boolean,
): Promise<Equipment> => {
  const { settings, logs, stop, claimed } = run
  const tools = await makeFolder("dormouse-tools-", undefined)
  // Everybody may look into it, and only the daemon writes.
  await chmod(tools, 0o755)
  const bin = join(tools, "bin")
  const environment = agentEnvironment(claimed.run.id, home, bin)
  const place = { root: settings.workspace, isolation, logs, gitConfig: settings.gitConfig, signal: stop.signal }

  const repositories: CloneSource[] = []
  for (const repository of all) if (!isRestored || (await isInPlace(place, repository))) repositories.push(repository)
  const cloned = await cloneAll(place, repositories)
  const skillsHome = join(tools, "skills")
  await mkdir(skillsHome)
  if (isolation.user) await chown(skillsHome, isolation.user.uid, isolation.user.gid)
  await installSkills(place, skillsHome, skills)
  for (const repository of cloned) await setUp(place, environment, repository)
  await linkAliases(place, bin, repositories)
  const known = new Set(repositories.map(({ folder }) => folder))
  const attach = async (all: CloneSource[]) => {
    const added: CloneSource[] = []
    try {
      for (const repository of all) if (!known.has(repository.folder)) added.push(...(await cloneAll(place, [repository])))
      for (const repository of added) await setUp(place, environment, repository)
    } catch (error) {
      // To the next container what is there would pass for what is set up.
      for (const { folder } of added) removeClone(place, folder)
      throw error
    }
    for (const { folder } of all) known.add(folder)
    if (added.length > 0) await linkAliases(place, bin, all)
    return added
  }
  return { home, environment, skills: join(skillsHome, skillsFolder), attach }
}

/** A folder outside the workspace, which goes with the process. */
export const makeFolder = async (prefix: string, user: User | undefined) => {
  const folder = await mkdtemp(join(tmpdir(), prefix))
  // However the process ends: a lost run ends it at once.
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }))
  if (user) await chown(folder, user.uid, user.gid)
  return folder
}
