import * as z from "zod"
import type { AgentRow } from "./agent.entity.ts"
import type { ContainerRow, ContainerVersionRow } from "./container.entity.ts"
import type { StoredDefaults } from "./defaults.ts"
import { limits } from "./limits.ts"
import * as Text from "./text.ts"
import type { VersionRow } from "./version.entity.ts"

/**
 * What every account of the stack has without making it: containers with the presets that name their images, and agents. To change one, add a version to
 * it and deploy: the earlier ones stay, since tasks and agents name them.
 */

interface StandardContainer {
  name: string
  description: string
  /** The word that a container of an account may name instead of an image. */
  preset: string
  /** Images of public registries, with glibc, for arm64. */
  versions: { image: string; createdAt: string }[]
}

interface StandardAgent {
  name: string
  description: string
  versions: { container: { key: string; number: number }; basePrompt: string; defaults: StoredDefaults; createdAt: string }[]
}

const firstDay = "2026-11-01T00:00:00.000Z"

const containers: Record<string, StandardContainer> = {
  coding: {
    name: "General coding",
    description: "Debian with Node.js, Python, git, compilers and make.",
    preset: "coding",
    versions: [{ image: "public.ecr.aws/docker/library/node:24-bookworm", createdAt: firstDay }],
  },
  documents: {
    name: "Document analysis",
    description: "Ubuntu with Python, pandoc and LaTeX.",
    preset: "documents",
    versions: [{ image: "quay.io/jupyter/minimal-notebook:python-3.13", createdAt: firstDay }],
  },
  data: {
    name: "Data processing",
    description: "Ubuntu with Python and its scientific libraries: pandas, SciPy, matplotlib, openpyxl.",
    preset: "data-processing",
    versions: [{ image: "quay.io/jupyter/scipy-notebook:python-3.13", createdAt: firstDay }],
  },
}

const defaults: StoredDefaults = {
  provider: "anthropic",
  model: "claude-sonnet-4-5",
  weakModel: "claude-haiku-4-5",
  internetAccess: true,
  maxRuntimeSeconds: 3_600,
  outputPolicy: { mode: "any" },
  runtimeRegion: "any",
}

const agents: Record<string, StandardAgent> = {
  coding: {
    name: "Coding",
    description: "Writes, changes and tests code.",
    versions: [
      {
        container: { key: "coding", number: 1 },
        createdAt: firstDay,
        defaults,
        basePrompt: [
          "You are a careful software engineer.",
          "Read the code that is there before you change it, and keep to its style. Make the smallest change that does what was asked.",
          "Run the project's own checks and tests; where there are none for what you changed, write one. Never call something done that you have not run.",
          "Leave new files and a patch of every change to a repository in output/. Close with what you changed, how you know that it works, and what is left open.",
        ].join("\n\n"),
      },
    ],
  },
  documents: {
    name: "Documents",
    description: "Reads documents, and writes summaries, comparisons and reports about them.",
    versions: [
      {
        container: { key: "documents", number: 1 },
        createdAt: firstDay,
        defaults: { ...defaults, outputPolicy: { mode: "at_least_one" } },
        basePrompt: [
          "You read documents and write about them for people who have not read them.",
          "Read each document whole before you write. Convert what you cannot read as it is, for instance with pandoc.",
          "State only what a document says, and name the document and the place. Say so where documents contradict each other or leave a question open; never fill a gap by guessing.",
          "Leave the finished text in output/, as Markdown unless another format was asked for. Close with its gist in a few sentences.",
        ].join("\n\n"),
      },
    ],
  },
  data: {
    name: "Data",
    description: "Cleans, joins, analyses and charts data.",
    versions: [
      {
        container: { key: "data", number: 1 },
        createdAt: firstDay,
        defaults: { ...defaults, outputPolicy: { mode: "at_least_one" } },
        basePrompt: [
          "You are a data analyst who can be checked.",
          "Look at the data first: its columns, types, gaps and doubles. Work in scripts that can be run again and never change the input.",
          "Count rows before and after every step that may drop or double some. Check each figure that you report in a second way.",
          "Leave results and scripts in output/. Close with the findings, the figures behind them, and what in the data makes them uncertain.",
        ].join("\n\n"),
      },
    ],
  },
}

/** The image that each preset stands for today. */
export const presets: Record<string, string> = Object.fromEntries(
  Object.values(containers).map(({ preset, versions }) => [preset, versions.at(-1)!.image]),
)

export const defaultPreset = "coding"

/** Whether an id is that of a standard agent or container. */
export const isStandard = (id: string) =>
  Object.keys(agents).some((key) => agentIdOf(key) === id) || Object.keys(containers).some((key) => containerIdOf(key) === id)

const agentIdOf = (key: string) => `agt_standard_${key}`
const versionIdOf = (key: string, number: number) => `agv_standard_${key}_${number}`
const containerIdOf = (key: string) => `ctr_standard_${key}`
const containerVersionIdOf = (key: string, number: number) => `ctv_standard_${key}_${number}`

/** What agents and containers have in common in their rows. */
const headOf = ({ name, description, versions }: StandardAgent | StandardContainer) => ({
  name,
  description,
  number: versions.length,
  revision: versions.length,
  createdAt: versions[0]!.createdAt,
})

/** The standard containers, as their rows would lie in the table for whichever account asks. */
export const containersOf = (accountId: string): ContainerRow[] =>
  Object.entries(containers).map(([key, container]) => ({
    accountId,
    containerId: containerIdOf(key),
    versionId: containerVersionIdOf(key, container.versions.length),
    ...headOf(container),
  }))

/** Every version of every standard container, the newest of each first. */
export const containerVersionsOf = (accountId: string): ContainerVersionRow[] =>
  Object.entries(containers).flatMap(([key, { preset, versions }]) =>
    versions
      .map(({ image, createdAt }, i) => ({
        accountId,
        containerId: containerIdOf(key),
        versionId: containerVersionIdOf(key, i + 1),
        number: i + 1,
        preset,
        image,
        contractVersion: "1",
        createdAt,
      }))
      .reverse(),
  )

/** The standard agents, in the same way. */
export const agentsOf = (accountId: string): AgentRow[] =>
  Object.entries(agents).map(([key, agent]) => ({
    accountId,
    agentId: agentIdOf(key),
    versionId: versionIdOf(key, agent.versions.length),
    ...headOf(agent),
  }))

/** Every version of every standard agent, the newest of each first. */
export const versionsOf = (accountId: string): VersionRow[] =>
  Object.entries(agents).flatMap(([key, { versions }]) =>
    versions
      .map(({ container, basePrompt, defaults, createdAt }, i) => ({
        accountId,
        agentId: agentIdOf(key),
        versionId: versionIdOf(key, i + 1),
        number: i + 1,
        containerImage: containers[container.key]!.versions[container.number - 1]!.image,
        containerVersionId: containerVersionIdOf(container.key, container.number),
        agentRuntime: "pi" as const,
        basePrompt: Text.inline(basePrompt),
        defaults,
        skills: [],
        repositories: [],
        referenceFileIds: [],
        createdAt,
      }))
      .reverse(),
  )

/**
 * For a list that shows what is the account's own and then what is standard: how it answers up to `count` things after a position.
 * `own` does so for the own ones alone.
 */
export const after =
  <Thing>(
    own: (position: string | undefined, count: number) => Promise<Thing[]>,
    standard: Thing[],
    idOf: (thing: Thing) => string,
  ) =>
  async (position: string | undefined, count: number): Promise<Thing[]> => {
    const at = standard.findIndex((thing) => idOf(thing) === position)
    if (at >= 0) return standard.slice(at + 1, at + 1 + count)
    return [...(await own(position, count)), ...standard].slice(0, count)
  }

/** The body that makes a thing of one's own out of a standard one. */
export const Fork = z
  .strictObject({
    name: z.string().trim().min(1).max(limits.name).optional(),
    description: z.string().max(limits.description).optional(),
  })
  .optional()
  .meta({ id: "Fork", description: "What the copy is called where not like the original.", example: { name: "My own" } })

export type Fork = z.output<typeof Fork>
