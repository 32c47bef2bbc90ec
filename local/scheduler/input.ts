import * as z from "zod"
import { AwsError } from "../service.ts"

/** A schedule as callers make it. */
const schedule = z.object({
  ClientToken: z.string().optional(),
  Description: z.string().optional(),
  ScheduleExpression: z.string(),
  ScheduleExpressionTimezone: z.literal("UTC").optional(),
  FlexibleTimeWindow: z.object({ Mode: z.literal("OFF") }),
  GroupName: z.string().default("default"),
  State: z.enum(["ENABLED", "DISABLED"]).default("ENABLED"),
  ActionAfterCompletion: z.enum(["NONE", "DELETE"]).default("NONE"),
  Target: z.object({
    Arn: z.string(),
    RoleArn: z.string(),
    Input: z.string().optional(),
    RetryPolicy: z
      .object({
        MaximumEventAgeInSeconds: z.int().min(60).max(86_400).default(86_400),
        MaximumRetryAttempts: z.int().min(0).max(185).default(185),
      })
      .optional(),
    DeadLetterConfig: z.object({ Arn: z.string() }).optional(),
  }),
})

export type Schedule = z.infer<typeof schedule>

const invalid = (message: string) => new AwsError("ValidationException", message, 400, { Message: message })

/** Reads a schedule. Throws `ValidationException`, also for what only AWS can do: rates, calendars, flexible windows. */
export const readSchedule = (input: unknown): Schedule => {
  const { data, error } = schedule.safeParse(input)
  if (error) throw invalid(`${error.issues[0]?.path.join(".")}: ${error.issues[0]?.message}`)
  timeOf(data.ScheduleExpression)
  if (!/^arn:aws:(sqs|lambda|scheduler):/.test(data.Target.Arn)) throw invalid(`${data.Target.Arn} is no target that works here.`)
  return data
}

/** When a schedule is due, in milliseconds since the epoch. */
export const timeOf = (expression: string): number => {
  const at = /^at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)$/.exec(expression)?.[1]
  const time = Date.parse(`${at}Z`)
  if (Number.isNaN(time)) throw invalid(`Invalid Schedule Expression ${expression}. What runs here is at(yyyy-mm-ddThh:mm:ss).`)
  return time
}

export const checkName = (name: string) => {
  if (!/^[\w.-]{1,64}$/.test(name)) throw invalid(`Schedule name ${name} is not valid.`)
  return name
}
