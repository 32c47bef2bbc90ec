import * as z from "zod"
import { compile, isExpression } from "./jsonata.ts"

/** The part of the Amazon States Language that runs here; whatever else a machine holds is refused when it is opened. */

const longestWait = 99_999_999

const expression = z.string().refine(isExpression, "must be a number or a JSONata expression {% … %}")
const positiveSeconds = z.union([z.int().min(1).max(longestWait), expression])
const names = z.array(z.string().min(1)).min(1)
const variable = /^[\p{ID_Start}_][\p{ID_Continue}]{0,79}$/u
const assignment = z
  .record(z.string(), z.unknown())
  .refine((assign) => !Object.hasOwn(assign, "states"), "Assign cannot set $states.")
  .refine((assign) => Object.keys(assign).every((name) => variable.test(name)), "Assign takes names of variables, without the $.")

const retrier = z.strictObject({
  Comment: z.string().optional(),
  ErrorEquals: names,
  IntervalSeconds: z.int().min(1).max(longestWait).default(1),
  MaxAttempts: z.int().min(0).max(longestWait).default(3),
  BackoffRate: z.number().min(1).default(2),
  MaxDelaySeconds: z.int().min(1).max(31_622_399).optional(),
  JitterStrategy: z.enum(["FULL", "NONE"]).default("NONE"),
})

const catcher = z.strictObject({
  Comment: z.string().optional(),
  ErrorEquals: names,
  Next: z.string(),
  Assign: assignment.optional(),
  Output: z.unknown().optional(),
})

const choice = z.strictObject({
  Comment: z.string().optional(),
  Condition: z.string().refine(isExpression, "must be a JSONata expression {% … %}"),
  Next: z.string(),
  Assign: assignment.optional(),
  Output: z.unknown().optional(),
})

const common = { Comment: z.string().optional(), QueryLanguage: z.literal("JSONata").optional() }
const leaving = {
  Next: z.string().optional(),
  End: z.literal(true).optional(),
  Assign: assignment.optional(),
  Output: z.unknown().optional(),
}

const task = z.strictObject({
  ...common,
  ...leaving,
  Type: z.literal("Task"),
  Resource: z.enum(["arn:aws:states:::lambda:invoke", "arn:aws:states:::lambda:invoke.waitForTaskToken"]),
  Arguments: z.union([
    z.strictObject({ FunctionName: z.string().min(1), Payload: z.unknown().optional() }),
    z.string().refine(isExpression, "must be an object or a JSONata expression {% … %}"),
  ]),
  TimeoutSeconds: positiveSeconds.optional(),
  HeartbeatSeconds: positiveSeconds.optional(),
  Retry: z.array(retrier).default([]),
  Catch: z.array(catcher).default([]),
})
const pass = z.strictObject({ ...common, ...leaving, Type: z.literal("Pass") })
const succeed = z.strictObject({ ...common, Type: z.literal("Succeed"), Output: z.unknown().optional() })
const fail = z.strictObject({
  ...common,
  Type: z.literal("Fail"),
  Error: z.string().optional(),
  Cause: z.string().optional(),
})
const choices = z.strictObject({
  ...common,
  Type: z.literal("Choice"),
  Choices: z.array(choice).min(1),
  Default: z.string().optional(),
  Assign: assignment.optional(),
  Output: z.unknown().optional(),
})
const wait = z.strictObject({
  ...common,
  ...leaving,
  Type: z.literal("Wait"),
  Seconds: z.union([z.int().min(0).max(longestWait), expression]).optional(),
  Timestamp: z.string().optional(),
})

const definition = z.strictObject({
  Comment: z.string().optional(),
  Version: z.literal("1.0").optional(),
  QueryLanguage: z.literal("JSONata"),
  StartAt: z.string(),
  TimeoutSeconds: z.int().min(1).max(longestWait).optional(),
  States: z.record(z.string().min(1).max(80), z.discriminatedUnion("Type", [task, pass, succeed, fail, choices, wait])),
})

export type Definition = z.infer<typeof definition>
export type State = Definition["States"][string]
export type TaskState = z.infer<typeof task>
export type ChoiceState = z.infer<typeof choices>
export type WaitState = z.infer<typeof wait>
export type FailState = z.infer<typeof fail>

const kinds = ["Task", "Pass", "Succeed", "Fail", "Choice", "Wait"]

/** Reads the definition of the machine `name`. Throws, naming machine and state, what cannot run here or on AWS. */
export const readDefinition = (name: string, given: unknown): Definition => {
  const refuse = (why: string): never => {
    throw new Error(`The state machine ${name} cannot be run: ${why}`)
  }
  refuseForeign(given, refuse)
  const parsed = definition.safeParse(given)
  if (!parsed.success) return refuse(z.prettifyError(parsed.error))
  checkTargets(parsed.data, refuse)
  for (const [state, body] of Object.entries(parsed.data.States)) {
    checkState(body, (why) => refuse(`${state}: ${why}`))
    checkExpressions(body, (why) => refuse(`${state}: ${why}`))
  }
  return parsed.data
}

type Refuse = (why: string) => never

/** The likeliest misunderstandings, in words of their own. */
const refuseForeign = (given: unknown, refuse: Refuse) => {
  const machine = z.looseObject({
    QueryLanguage: z.string().default("JSONPath"),
    States: z.record(z.string(), z.looseObject({})),
  })
  const parsed = machine.safeParse(given)
  if (!parsed.success) return refuse(z.prettifyError(parsed.error))
  const { QueryLanguage, States } = parsed.data
  const speaks = (language: unknown) => language === "JSONata"
  if (!speaks(QueryLanguage)) refuse(`its QueryLanguage is ${QueryLanguage}; only JSONata is run here.`)
  for (const [name, state] of Object.entries(States)) {
    if (!speaks(state.QueryLanguage ?? "JSONata"))
      refuse(`${name}: its QueryLanguage is ${state.QueryLanguage}; only JSONata is run here.`)
    if (!kinds.includes(String(state.Type)))
      refuse(`${name}: a state of type ${state.Type} is not run here, only ${kinds.join(", ")}.`)
  }
}

const targetsOf = (state: State): string[] => {
  switch (state.Type) {
    case "Choice":
      return [...state.Choices.map(({ Next }) => Next), ...(state.Default === undefined ? [] : [state.Default])]
    case "Task":
      return [...state.Catch.map(({ Next }) => Next), ...(state.Next === undefined ? [] : [state.Next])]
    case "Pass":
    case "Wait":
      return state.Next === undefined ? [] : [state.Next]
    default:
      return []
  }
}

const checkTargets = ({ StartAt, States }: Definition, refuse: Refuse) => {
  if (!Object.hasOwn(States, StartAt)) refuse(`StartAt names ${StartAt}, which is no state of it.`)
  for (const [name, state] of Object.entries(States)) {
    for (const target of targetsOf(state)) {
      if (!Object.hasOwn(States, target)) refuse(`${name}: goes on to ${target}, which is no state of it.`)
    }
    const leaves = state.Type === "Task" || state.Type === "Pass" || state.Type === "Wait"
    if (leaves && (state.Next === undefined) === (state.End === undefined)) refuse(`${name}: needs either Next or End.`)
  }
}

const checkState = (state: State, refuse: Refuse) => {
  if (state.Type === "Wait" && (state.Seconds === undefined) === (state.Timestamp === undefined)) {
    refuse("needs either Seconds or Timestamp.")
  }
  if (state.Type !== "Task") return
  const { TimeoutSeconds, HeartbeatSeconds } = state
  if (typeof TimeoutSeconds === "number" && typeof HeartbeatSeconds === "number" && HeartbeatSeconds >= TimeoutSeconds) {
    refuse("HeartbeatSeconds must be smaller than TimeoutSeconds.")
  }
  for (const list of [state.Retry, state.Catch]) checkNames(list, refuse)
  for (const { IntervalSeconds, MaxDelaySeconds } of state.Retry) {
    if (MaxDelaySeconds !== undefined && MaxDelaySeconds <= IntervalSeconds)
      refuse("MaxDelaySeconds must be greater than IntervalSeconds.")
  }
}

const checkNames = (list: { ErrorEquals: string[] }[], refuse: Refuse) => {
  list.forEach(({ ErrorEquals }, index) => {
    if (!ErrorEquals.includes("States.ALL")) return
    if (ErrorEquals.length > 1) refuse("States.ALL must stand alone in ErrorEquals.")
    if (index < list.length - 1) refuse("States.ALL must be in the last Retry or Catch.")
  })
}

/** Compiles every expression of a state, so that a slip in one is found before anything runs. */
const checkExpressions = (value: unknown, refuse: Refuse): void => {
  if (Array.isArray(value)) {
    for (const item of value) checkExpressions(item, refuse)
    return
  }
  if (typeof value === "object" && value !== null) {
    for (const item of Object.values(value)) checkExpressions(item, refuse)
    return
  }
  if (typeof value !== "string" || !value.startsWith("{%")) return
  if (!isExpression(value)) refuse(`${value} must end with %}.`)
  try {
    compile(value)
  } catch (error) {
    refuse(error instanceof Error ? error.message : String(error))
  }
}
