import * as z from "zod"
import { millis, now } from "./clock.ts"
import { DeltaEntity, type DeltaRow } from "./delta.entity.ts"
import type { SaySoFar } from "./protocol.ts"
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

/** Takes what the agent has said so far. Raises `lease_lost`. */
export async function put(ref: Run.Ref, { turn_number, text }: z.output<typeof SaySoFar>) {
  const { attempt } = await Run.claimed(ref)
  const { accountId, taskId } = ref
  const said = {
    turnNumber: turn_number,
    attempt,
    text,
    updatedAt: now().toISOString(),
    expiresAt: Math.floor(millis() / 1000) + keptSeconds,
  }
  // The successor of this container may have been faster.
  await unlessRefused(
    DeltaEntity.upsert({ accountId, taskId })
      .set(said)
      .where((row, { lte, notExists }) => `${notExists(row.attempt)} OR ${lte(row.attempt, attempt)}`),
  )
  return { accepted: true as const }
}

/** Undefined where nothing has been said yet. */
export async function get(accountId: string, taskId: string): Promise<DeltaRow | undefined> {
  const { data } = await DeltaEntity.get({ accountId, taskId }).go()
  return data ?? undefined
}

export const view = ({ turnNumber, text, updatedAt }: DeltaRow): z.infer<typeof View> => ({ turnNumber, text, updatedAt })
