import type { z } from "zod"
import { millis } from "./clock.ts"
import { limits } from "./limits.ts"
import { Problem } from "./problem.ts"
import type { HibernationLimits, Release } from "./protocol.ts"
import type { Step } from "./settlement.ts"
import type { SpecRow, TaskRow } from "./task.entity.ts"

/** How long a task may sleep, by its version and its own overrides. */

/** What is allowed from now on. */
export const limitsOf = (task: TaskRow, { settings }: SpecRow): z.infer<typeof HibernationLimits> => ({
  enabled: settings.hibernationEnabled ?? true,
  cycle_seconds: settings.maxTimePerHibernationCycle ?? limits.maxTimePerHibernationCycle.default,
  left_seconds: Math.max(0, (settings.maxAccumulatedTime ?? limits.maxAccumulatedTime.default) - task.sleptSeconds),
})

type Wish = Extract<z.output<typeof Release>, { to: "hibernate" }>

/**
 * What the wish of an agent comes to. Raises `hibernation_disabled`, `hibernation_in_the_past`, and `hibernation_too_long`, which says
 * how long it may be.
 */
export function of(task: TaskRow, spec: SpecRow, { until, reason }: Wish, isBehind: boolean): Step {
  const allowed = limitsOf(task, spec)
  if (!allowed.enabled) throw new Problem("hibernation_disabled")
  const wanted = (Date.parse(until) - millis()) / 1000
  if (wanted <= 0) throw new Problem("hibernation_in_the_past")
  const most = Math.min(allowed.cycle_seconds, allowed.left_seconds)
  if (wanted > most) throw new Problem("hibernation_too_long", { maxSeconds: most })
  const hibernateUntilAt = new Date(until).toISOString()
  return {
    signal: { kind: "released", to: "hibernate", isBehind },
    set: { hibernateUntilAt },
    about: { reason, hibernateUntilAt },
  }
}
