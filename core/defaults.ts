import * as z from "zod"
import { providers, regions } from "./agent.entity.ts"
import { limits } from "./limits.ts"

/** What a run is allowed and told to do: the defaults of an agent's version, and what a task may override of them. */

const within = ({ min, max }: { min: number; max: number }) => z.number().min(min).max(max)

/** A path below `output/`, as a person would type it. */
const OutputName = z
  .string()
  .min(1)
  .max(255)
  .refine((name) => !/(^|\/)\.{0,2}(\/|$)|\\|\p{Cc}/u.test(name), {
    message: "A name is a relative path without `..`",
    abort: true,
  })
  .refine((name) => !name.startsWith("output/"), {
    error: ({ input }) => `Names are below output/ already: say ${String(input).replace(/^(output\/)+/, "")}`,
  })

const policyOf = (name: z.ZodType<string, string>) =>
  z.discriminatedUnion("mode", [
    z.strictObject({ mode: z.enum(["any", "none", "at_least_one"]) }),
    z.strictObject({
      mode: z.literal("named"),
      files: z
        .array(z.strictObject({ name, description: z.string().max(limits.description).optional() }))
        .min(1)
        .max(limits.namedOutputs),
    }),
  ])

const description =
  "What the task must leave in `output/`. `any` takes whatever is there; `none` takes nothing; `at_least_one` and `named` fail the task when nothing, or not every named file, is there. A name is a path below `output/`, or the last part of one, with or without its ending."

const OutputPolicy = policyOf(OutputName).meta({ id: "OutputPolicyInput", description })

/** As shown: whatever was taken once, though it would be refused now. */
const OutputPolicyView = policyOf(z.string()).meta({ id: "OutputPolicy", description })

/** It goes into a header of every request to the provider: what cannot be in one is better refused here than there. */
export const ProviderApiKey = z
  .string()
  .trim()
  .min(1)
  .max(limits.providerApiKey)
  .refine((key) => /^[!-~]*$/.test(key), "A key is of printable ASCII characters, without spaces")

const fields = {
  provider: z.enum(providers).describe("Whose models run the agent."),
  providerApiKey: ProviderApiKey.meta({ writeOnly: true }).describe(
    "Kept encrypted, never shown again, never given to the container.",
  ),
  runtime: z.literal("pi"),
  model: z.string().min(1).max(limits.modelName),
  weakModel: z
    .string()
    .min(1)
    .max(limits.modelName)
    .describe("A cheaper model for side work of the same provider. The model itself when left out."),
  internetAccess: z.boolean().describe("Whether the container reaches more than the model and this API."),
  maxRuntimeSeconds: within(limits.maxRuntimeSeconds).describe("Container time of the whole task, counted from its start."),
  maxRuntimePerTurnSeconds: within(limits.maxRuntimePerTurnSeconds),
  sessionTtlSeconds: within(limits.sessionTtlSeconds).describe("How long a conversation may wait for its next message."),
  softFinishAfterSeconds: z.number().min(1).describe("From then on the agent is asked to wrap up."),
  hibernationEnabled: z.boolean().describe("Whether the agent may sleep, by its tool `hibernate`. It may when left out."),
  maxTimePerHibernationCycle: within(limits.maxTimePerHibernationCycle).describe("Longest single sleep, in seconds."),
  maxAccumulatedTime: within(limits.maxAccumulatedTime).describe("Longest sleep in total, in seconds."),
  outputPolicy: OutputPolicy,
  runtimeRegion: z.enum(regions).describe("`eu` keeps the container in eu-central-1."),
}

type Limits = { softFinishAfterSeconds?: number | undefined; maxRuntimeSeconds?: number | undefined }

export const isSoftInTime = ({ softFinishAfterSeconds, maxRuntimeSeconds }: Limits) =>
  softFinishAfterSeconds === undefined || maxRuntimeSeconds === undefined || softFinishAfterSeconds <= maxRuntimeSeconds

export const softTooLate = "The soft finish must not come after maxRuntimeSeconds"

const softFinish = { path: ["softFinishAfterSeconds"], message: softTooLate }

const required = {
  model: true,
  internetAccess: true,
  maxRuntimeSeconds: true,
  outputPolicy: true,
  runtimeRegion: true,
} as const

/** In the body of an agent: the whole of it, with the same five fields required each time. */
export const Defaults = z
  .strictObject(fields)
  .partial()
  .required(required)
  .refine(isSoftInTime, softFinish)
  .meta({ id: "AgentDefaultsInput" })

/** In the body of a task. */
export const Overrides = z
  .strictObject({ ...fields, basePrompt: z.string().min(1).max(limits.text).describe("Replaces the version's base prompt.") })
  .partial()
  .refine(isSoftInTime, softFinish)
  .meta({ id: "TaskOverridesInput" })

/** As shown: the key itself only as a yes or no. */
const shown = <Shape extends z.ZodRawShape>(shape: Shape) => z.object(shape)

export const DefaultsView = shown({
  provider: z.enum(providers).nullable().describe("null: the account's default provider."),
  hasProviderApiKey: z.boolean(),
  model: z.string(),
  weakModel: z.string().nullable(),
  internetAccess: z.boolean(),
  maxRuntimeSeconds: z.number(),
  maxRuntimePerTurnSeconds: z.number().nullable(),
  sessionTtlSeconds: z.number().nullable(),
  softFinishAfterSeconds: z.number().nullable(),
  hibernationEnabled: z.boolean(),
  maxTimePerHibernationCycle: z.number().nullable(),
  maxAccumulatedTime: z.number().nullable(),
  outputPolicy: OutputPolicyView,
  runtimeRegion: z.enum(regions),
}).meta({ id: "AgentDefaults" })

export const OverridesView = shown({
  mode: z.enum(["autonomous", "conversation"]).optional(),
  basePrompt: z.string().optional(),
  provider: z.enum(providers).optional(),
  hasProviderApiKey: z.boolean().optional(),
  runtime: z.literal("pi").optional(),
  model: z.string().optional(),
  weakModel: z.string().optional(),
  internetAccess: z.boolean().optional(),
  maxRuntimeSeconds: z.number().optional(),
  maxRuntimePerTurnSeconds: z.number().optional(),
  sessionTtlSeconds: z.number().optional(),
  softFinishAfterSeconds: z.number().optional(),
  hibernationEnabled: z.boolean().optional(),
  maxTimePerHibernationCycle: z.number().optional(),
  maxAccumulatedTime: z.number().optional(),
  outputPolicy: OutputPolicyView.optional(),
  runtimeRegion: z.enum(regions).optional(),
}).meta({ id: "TaskOverrides", description: "What the task was dispatched with, as it was given." })

export type Defaults = z.output<typeof Defaults>
export type Overrides = z.output<typeof Overrides>

export type Provider = (typeof providers)[number]

/** Whose models run an agent where neither the task nor the agent nor the account says so. */
export const providerOfLastResort: Provider = "anthropic"

/** In a row: the secret's id in place of the key, and whose key it is, so that no other provider is ever given it. */
export type StoredDefaults = Omit<Defaults, "providerApiKey" | "runtime"> & {
  providerSecretId?: string | undefined
  keyProvider?: Provider | undefined
}
export type StoredOverrides = Omit<Overrides, "providerApiKey" | "basePrompt"> & { providerSecretId?: string | undefined }

export const viewDefaults = (row: StoredDefaults): z.infer<typeof DefaultsView> => ({
  provider: row.provider ?? null,
  hasProviderApiKey: row.providerSecretId !== undefined,
  model: row.model,
  weakModel: row.weakModel ?? null,
  internetAccess: row.internetAccess,
  maxRuntimeSeconds: row.maxRuntimeSeconds,
  maxRuntimePerTurnSeconds: row.maxRuntimePerTurnSeconds ?? null,
  sessionTtlSeconds: row.sessionTtlSeconds ?? null,
  softFinishAfterSeconds: row.softFinishAfterSeconds ?? null,
  hibernationEnabled: row.hibernationEnabled ?? true,
  maxTimePerHibernationCycle: row.maxTimePerHibernationCycle ?? null,
  maxAccumulatedTime: row.maxAccumulatedTime ?? null,
  outputPolicy: row.outputPolicy,
  runtimeRegion: row.runtimeRegion,
})
