import { millis } from "../../core/clock.ts"
import type { HibernationRequest } from "./agent-messages.ts"
import type { Bundle, Turn } from "./api.ts"
import { spoken } from "./limits.ts"

/** A sleep that was granted. */
export type Sleep = { until: string; reason: string }

type Limits = Bundle["limits"]["hibernation"]

/**
 * Whether the agent may sleep as it has asked to, by the limits that the API enforces as well. A refusal is for the agent to read: it
 * says what it may do instead.
 */
export const decide = (
  { until, seconds, reason }: HibernationRequest,
  { enabled, cycle_seconds, left_seconds }: Limits,
  mode: Turn["mode"],
): Sleep | { refusal: string } => {
  if (mode === "conversation")
    return { refusal: "This is a conversation: say what you wait for and end your turn instead. The next message wakes you." }
  if (!enabled)
    return { refusal: "This task may not hibernate. Finish the work, or say in your answer what is still to be waited for." }
  if (!reason.trim()) return { refusal: "Give a reason: what are you waiting for?" }
  if ((until === undefined) === (seconds === undefined)) return { refusal: "Give either `until` or `seconds`." }
  const now = millis()
  const at = until === undefined ? now + (seconds ?? 0) * 1000 : Date.parse(until)
  if (Number.isNaN(at))
    return { refusal: `${JSON.stringify(until)} is no time. Write it in ISO 8601 with its zone, such as ${example(now)}.` }
  if (at <= now) return { refusal: `The time to wake up must be in the future: now it is ${new Date(now).toISOString()}.` }
  const longest = Math.min(cycle_seconds, left_seconds)
  if (longest <= 0)
    return { refusal: "This task has slept as long as it may in all. Finish the work, or say what is still to be waited for." }
  if (at > now + longest * 1000) {
    const last = new Date(now + longest * 1000).toISOString()
    return { refusal: `This task may sleep for ${spoken(longest)} at most, until ${last}. Choose a shorter time.` }
  }
  return { until: new Date(at).toISOString(), reason: reason.trim().slice(0, 1_000).toWellFormed() }
}

const example = (now: number) => new Date(now + 3_600_000).toISOString()
