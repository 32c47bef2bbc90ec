import { chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest"
import type { CloneSource } from "../../core/git.ts"
import { type GitServer, startGitServer } from "../../test/git-server.ts"
import { hostile } from "../../test/hostile.ts"
import { startStage } from "../test/stage.ts"
import { cloneAll, linkAliases, setUp } from "./repositories.ts"

const program = (text: string) => ({ text: `#!/bin/sh\n${text}\n`, executable: true })

let host: GitServer

/** Repositories whose host is busy once. */
const busy = new Set<string>()

beforeAll(async () => {
  host = await startGitServer(async (url) => {
    const name = [...busy].find((one) => url.includes(one))
    return name !== undefined && busy.delete(name) ? 429 : undefined
  })
  host.make("acme/website.git", {
    "page.txt": "first",
    "bin/deploy it": program(`echo "deployed $1 to $(basename "$(dirname "$0")") as $(id -u)"`),
    "setup.sh": `echo "setting up in $(basename "$PWD")"\necho a warning >&2\necho ready > set-up.txt\n`,
    "broken.sh": program("echo starting\necho 'no such package' >&2\nexit 3"),
  })
  host.make("acme/skills.git", {
    "skills/alpha/SKILL.md": "---\nname: alpha\ndescription: Knows all about dormice.\n---\n# Alpha\n",
    "beta/SKILL.md": "---\nname: beta\ndescription: Knows all about badgers.\n---\n# Beta\n",
  })
})

afterAll(() => host.close())

const repository = (more: Partial<CloneSource> = {}): CloneSource => ({
  name: "Website",
  url: "https://git.example.com/acme/website.git",
  tag: "main",
  folder: "code",
  setup_script: null,
  aliases: [],
  private_keys: [],
  ...more,
})

const skill = (name: string, more: object = {}) => ({ skill: name, ssh_key_id: null, private_key: null, ...more })

const stageWith = (sources: object, script: object[] = [], environment: object = {}) =>
  startStage({
    script: script as never,
    sources,
    environment: { DORMOUSE_GIT_CONFIG: host.config, ...environment },
  })

const alreadyIn = (lines: string[]) => lines.join("\n")

describe("before the agent starts", () => {
  test("repositories are cloned and set up, their aliases are commands, and skills are in the agent's prompt", async () => {
    const scratch = mkdtempSync(join(tmpdir(), "dormouse-scratch-"))
    chmodSync(scratch, 0o755)
    onTestFinished(() => rmSync(scratch, { recursive: true }))
    const stage = await stageWith(
      {
        repositories: [
          repository({
            setup_script: "setup.sh",
            aliases: [
              { name: "deploy", target: "bin/deploy it" },
              { name: "gone", target: "bin/gone" },
            ],
          }),
          repository({ folder: "vendor/code", aliases: [{ name: "deploy", target: "bin/deploy it" }] }),
        ],
        skills: [
          skill("acme/skills/alpha"),
          skill("https://git.example.com/acme/skills/-/tree/main/beta"),
          skill("https://git.example.com/acme/skills.git"),
        ],
      },
      [
        {
          blocks: [
            { tool: "bash", args: { command: "deploy 'a b'; cat code/set-up.txt; touch vendor/code/mine; git -C code status" } },
          ],
        },
        { blocks: [{ text: "Done." }] },
      ],
      { TMPDIR: scratch },
    )
    expect(await stage.ended, stage.printed()).toBe(0)
    expect(stage.api.seen.completed).toMatchObject({ result: "Done." })
    expect(stage.api.seen.violations).toEqual([])

    const daemon = alreadyIn(stage.said("daemon"))
    expect(daemon).toMatch(
      /Cloning the repository Website at main to code\n.*to vendor\/code\nInstalling the skill acme\/skills\/alpha\nInstalled alpha\nInstalling the skill https.*beta\nInstalled beta\nInstalling the skill https.*git\nInstalled (alpha, beta|beta, alpha)\nRunning setup\.sh of the repository Website/,
    )
    expect(daemon).toContain("The alias gone of the repository Website runs bin/gone, which is no program in code")
    expect(daemon).toContain("The alias deploy of vendor/code is another repository's already")
    const agent = alreadyIn(stage.said("agent_stdout"))
    const user = lstatSync(join(stage.workspace, "code/page.txt")).uid
    expect(agent).toMatch(new RegExp(`setting up in code[^]*deployed a b to bin as ${user}\\n *ready\\n *On branch main`))
    expect(alreadyIn(stage.said("agent_stderr"))).toContain("a warning")
    expect(existsSync(join(stage.workspace, "vendor/code/mine"))).toBe(true)

    const [first] = stage.model.requests
    const prompt = JSON.stringify(first?.body.system)
    expect(prompt).toContain("Knows all about dormice.")
    expect(prompt).toContain("Knows all about badgers.")
    expect(readFileSync(join(stage.workspace, "task/HARNESS.md"), "utf8")).toContain(
      "| `vendor/code/` | The git repository Website, cloned at `main`. |",
    )
    // Nothing is left of keys, tools and skills.
    expect(readdirSync(scratch)).toEqual([])
  })

  test.each([
    [
      "a setup script that fails",
      { repositories: [repository({ setup_script: "./broken.sh" })] },
      /^The setup script \.\/broken\.sh of the repository Website ended with exit code 3: no such package$/,
    ],
    [
      "a setup script that is not there",
      { repositories: [repository({ setup_script: "nothing.sh" })] },
      /^The repository Website has no nothing\.sh at main$/,
    ],
    [
      "a branch that is not there",
      { repositories: [repository({ tag: "v9" })] },
      /^The repository Website could not be cloned at v9: There is no branch, tag or commit v9 in it$/,
    ],
    [
      "a skill that is not there",
      { skills: [skill("acme/skills/gamma")] },
      /^The skill acme\/skills\/gamma could not be installed: .*[Nn]o valid skills found/,
    ],
    [
      "a skill whose repository is not there",
      { skills: [skill("acme/nothing")] },
      /^The skill acme\/nothing could not be installed: .*acme\/nothing\.git.*not found/,
    ],
    [
      "a skill whose key was deleted",
      { skills: [skill("acme/skills", { ssh_key_id: "ssh_1" })] },
      /^The skill acme\/skills cannot be installed: its SSH key ssh_1 was deleted$/,
    ],
  ])("%s fails the task, and says so", async (_, sources, error) => {
    const stage = await stageWith(sources)
    expect(await stage.ended, stage.printed()).toBe(0)
    expect(stage.api.seen.failed?.error).toMatch(error)
    expect(stage.model.requests).toEqual([])
  })

  test("a host that is busy for a moment is asked again, for repositories and for skills", async () => {
    for (const name of ["website.git", "skills.git"]) busy.add(name)
    const stage = await stageWith({ repositories: [repository()], skills: [skill("acme/skills/alpha")] }, [
      { blocks: [{ text: "Done." }] },
    ])
    expect(await stage.ended, stage.printed()).toBe(0)
    expect(busy.size).toBe(0)
    expect(stage.api.seen.completed).toEqual({ result: "Done." })
    expect(JSON.stringify(stage.model.requests[0]?.body.system)).toContain("Knows all about dormice.")
  })

  test("an image without git is told from a repository that is not there", async () => {
    const stage = await stageWith({ repositories: [repository()] }, [], { PATH: "/nowhere" })
    expect(await stage.ended, stage.printed()).toBe(0)
    expect(stage.api.seen.failed?.error).toContain("The container's image has no git: use one that has")
    expect(alreadyIn(stage.said("daemon"))).toContain("What the container's image does not have: bash, git, ssh, curl")
  })
})

describe("the workspace of a hostile repository or request", () => {
  const folder = mkdtempSync(join(tmpdir(), "dormouse-place-"))
  const canary = join(folder, "canary")
  const wrong = hostile(canary)
  const root = join(folder, "workspace")
  const place = () => ({
    root,
    isolation: { wrapper: [] },
    logs: { say: () => undefined },
    gitConfig: host.config,
    signal: new AbortController().signal,
  })

  beforeAll(() => mkdirSync(root))
  afterAll(() => rmSync(folder, { recursive: true }))

  test(`${wrong.folders.length} folders are refused, and nothing is cloned`, async () => {
    // The API hands out none that begins with the workspace's own path.
    const before = host.requests.length
    for (const one of wrong.folders)
      await expect(cloneAll(place(), [repository({ folder: one })]), one).rejects.toThrow("is not a folder of the workspace")
    expect([host.requests.length - before, readdirSync(root)]).toEqual([0, []])
  })

  test(`${wrong.paths.length} scripts and ${wrong.aliases.length} aliases are refused, and nothing is run`, async () => {
    for (const script of wrong.paths)
      await expect(setUp(place(), {}, repository({ setup_script: script })), script).rejects.toThrow(
        "is not a path in a repository",
      )
    for (const target of wrong.paths)
      await expect(
        linkAliases(place(), join(folder, "bin"), [repository({ aliases: [{ name: "x", target }] })]),
      ).rejects.toThrow()
    for (const name of wrong.aliases)
      await expect(
        linkAliases(place(), join(folder, "bin"), [repository({ aliases: [{ name, target: "x" }] })]),
        name,
      ).rejects.toThrow("is not the name of a command")
    expect(readdirSync(join(folder, "bin"))).toEqual([])
    expect(existsSync(canary)).toBe(false)
  })

  test("no link is followed to where a repository should lie", async () => {
    const elsewhere = join(folder, "elsewhere")
    mkdirSync(elsewhere)
    symlinkSync(elsewhere, join(root, "link"))
    for (const one of ["link", "link/code"])
      await expect(cloneAll(place(), [repository({ folder: one })])).rejects.toThrow(
        "leads through something that is not a folder",
      )
    expect(readdirSync(elsewhere)).toEqual([])
  })

  test("what is there already is kept as it is, and half a clone is not", async () => {
    expect((await cloneAll(place(), [repository()])).length).toBe(1)
    expect(await cloneAll(place(), [repository({ tag: "v9" })])).toEqual([])
    await expect(cloneAll(place(), [repository({ folder: "other", tag: "v9" })])).rejects.toThrow("could not be cloned at v9")
    expect(existsSync(join(root, "other"))).toBe(false)
    expect(readFileSync(join(root, "code/page.txt"), "utf8")).toBe("first")
  })
})
