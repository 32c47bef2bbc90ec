import * as z from "zod"
import { millis, now } from "./clock.ts"
import { DeltaEntity, type DeltaRow } from "./delta.entity.ts"
import * as Follower from "./follower.ts"
import type { SaidSoFar, SaySoFar } from "./protocol.ts"
import * as Run from "./run.ts"
import { unlessRefused } from "./transaction.ts"

/** The live text of the running turn. Nothing depends on it: what was said in the end is a message. */

export const View = z
  .object({
    turnNumber: z.int(),
    text: z
      .string()
      .describe("All that the agent has said so far since its last message; the beginning is cut off where it is long."),
    updatedAt: z.iso.datetime(),
  })
  .meta({ id: "Delta", description: "What the agent is saying at the moment." })

const keptSeconds = 86_400

/** Takes what the agent has said so far, and answers whether that is for anybody's eyes. Raises `lease_lost`. */
export async function put(ref: Run.Ref, { turn_number, text }: z.output<typeof SaySoFar>): Promise<z.infer<typeof SaidSoFar>> {
  const { accountId, taskId } = ref
  const { attempt } = await Run.claimed(ref)
  const expiresAt = Math.floor(millis() / 1000) + keptSeconds
  const said = { turnNumber: turn_number, attempt, text, updatedAt: now().toISOString(), expiresAt }
  const write = DeltaEntity.upsert({ accountId, taskId })
    .set(said)
    .where((row, { lte, notExists }) => `${notExists(row.attempt)} OR ${lte(row.attempt, attempt)}`)
  // Refused where the successor of this container was faster.
  const [is_followed] = await Promise.all([Follower.isFollowed(ref), unlessRefused(write)])
  return { accepted: true, is_followed }
}

/** Undefined where nothing has been said yet. */
export async function get(accountId: string, taskId: string): Promise<DeltaRow | undefined> {
  const { data } = await DeltaEntity.get({ accountId, taskId }).go()
  return data ?? undefined
}

export const view = ({ turnNumber, text, updatedAt }: DeltaRow): z.infer<typeof View> => ({ turnNumber, text, updatedAt })
