import * as z from "zod"
import * as Attempt from "#core/attempt.ts"

/** An "ECS Task State Change" event, as far as it concerns us. */
const Input = z.object({
  detail: z.object({
    startedBy: z.string().default(""),
    stoppedReason: z.string().default("The container stopped"),
    containers: z
      .array(z.object({ name: z.string(), exitCode: z.number().optional(), reason: z.string().optional() }))
      .default([]),
  }),
})

/** A container stopped, wherever it ran: if its run has not ended, it was lost. */
export const handler = (input: unknown) => {
  const { startedBy, stoppedReason, containers } = Input.parse(input).detail
  const agent = containers.find(({ name }) => name === "agent")
  return Attempt.stopped({ startedBy, reason: agent?.reason ?? stoppedReason, exitCode: agent?.exitCode })
}
