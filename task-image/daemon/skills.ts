import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { stripVTControlCharacters } from "node:util"
import { SkillName, type SkillSource } from "../../core/git.ts"
import { lastWords, type Ran, runCommand } from "./command.ts"
import { GitFailed, gitEnvironment } from "./git.ts"
import { persist } from "./http.ts"
import type { Workplace } from "./repositories.ts"
import { withKeys } from "./ssh.ts"

/** The `skills` CLI: beside the built daemon, or in development the npm package. */
const cli = () => {
  const built = new URL("./skills.mjs", import.meta.url)
  return fileURLToPath(existsSync(built) ? built : import.meta.resolve("skills/dist/cli.mjs"))
}

/** Where `skills add` puts what it installs for pi, below the folder that it runs in. */
export const skillsFolder = ".agents/skills"

/**
 * Installs skills into `folder`, which is the agent's, one after the other, as the agent's user: what comes with them is not trusted.
 * None of its programs runs yet, so none sees a key. Throws with the tool's own words.
 */
export const installSkills = async (place: Workplace, folder: string, skills: SkillSource[]) => {
  for (const { skill, ssh_key_id, private_key } of skills) {
    if (!SkillName.safeParse(skill).success) throw new Error(`${JSON.stringify(skill)} is not the name of a skill`)
    if (ssh_key_id !== null && private_key === null)
      throw new Error(`The skill ${skill} cannot be installed: its SSH key ${ssh_key_id} was deleted`)
    place.logs.say("daemon", `Installing the skill ${skill}`)
    await withKeys(private_key === null ? [] : [private_key], place.isolation.user, async (git) => {
      const patiently = (args: string[]) => persist(() => add(place, folder, git, args), isPassing, place.signal)
      const results = await addFirst(waysTo(skill, private_key !== null), patiently)
      place.logs.say("daemon", `Installed ${results.map(({ name }) => name).join(", ")}`)
    }).catch((error: unknown) => {
      if (!(error instanceof SkillFailed)) throw error
      throw new Error(`The skill ${skill} could not be installed: ${error.message}`, { cause: error })
    })
  }
}

/** The tool has git clone what it installs, and says what git says. */
class SkillFailed extends GitFailed {
  override name = "SkillFailed"
}

const isPassing = (error: unknown) => error instanceof SkillFailed && error.isPassing

/**
 * What to ask the tool for, the first that it can do counts. It reads the third part of `owner/repo/skill` as a path in the repository,
 * people mean a skill's name as well. What a key opens is a repository, and over ssh.
 */
const waysTo = (skill: string, hasKey: boolean): string[][] => {
  const [, owner, repo, name] = /^([\w.-]+)\/([\w.-]+)(?:\/([\w.-]+))?$/.exec(skill) ?? []
  if (!owner) return [[skill]]
  const source = hasKey ? `git@github.com:${owner}/${repo}.git` : `${owner}/${repo}`
  if (!name) return [[source]]
  return hasKey ? [[source, "--skill", name]] : [[source, "--skill", name], [skill]]
}

const addFirst = async (ways: string[][], attempt: (args: string[]) => Promise<Result[]>): Promise<Result[]> => {
  for (const [i, way] of ways.entries()) {
    try {
      return await attempt(way)
    } catch (error) {
      if (!(error instanceof SkillFailed) || error.isPassing || i === ways.length - 1) throw error
    }
  }
  return []
}

/** As the tool reports a skill. */
type Result = { name?: string; status?: string; error?: string }

const add = async (place: Workplace, cwd: string, git: { home: string; ssh: string }, args: string[]): Promise<Result[]> => {
  const command = [process.execPath, cli(), "add", ...args, "--agent", "pi", "--yes", "--json"]
  const ran = await runCommand([...place.isolation.wrapper, ...command], {
    cwd,
    user: place.isolation.user,
    signal: place.signal,
    environment: { ...gitEnvironment({ ...git, config: place.gitConfig }), DISABLE_TELEMETRY: "1", NO_COLOR: "1" },
  })
  const results = resultsOf(ran)
  if (ran.code === 0 && results.length > 0 && results.every(({ status }) => status === "installed")) return results
  const said = results.map(({ error }) => error ?? "").join(" ")
  throw new SkillFailed(said.replace(/\s+/g, " ").trim() || stripVTControlCharacters(lastWords(ran)) || `exit code ${ran.code}`)
}

const resultsOf = ({ stdout }: Ran): Result[] => {
  try {
    const results: unknown = JSON.parse(stdout)
    return Array.isArray(results) ? (results as Result[]) : []
  } catch {
    return []
  }
}
