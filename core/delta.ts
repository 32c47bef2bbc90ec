import * as z from "zod"
import { millis, now } from "./clock.ts"
import { DeltaEntity, type SaidRow } from "./delta.entity.ts"
import type { SaidSoFar, SaySoFar } from "./protocol.ts"
import * as Run from "./run.ts"
import { isRefused } from "./transaction.ts"

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
const expiresAt = () => Math.floor(millis() / 1000) + keptSeconds

/** For how long somebody counts as following who has said so. */
const followedMs = 60_000
/** How often somebody who follows says so. */
export const followMs = 30_000

/** Takes what the agent has said so far, and answers whether that is for anybody's eyes. Raises `lease_lost`. */
export async function put(ref: Run.Ref, { turn_number, text }: z.output<typeof SaySoFar>): Promise<z.infer<typeof SaidSoFar>> {
  const { attempt } = await Run.claimed(ref)
  const said = { turnNumber: turn_number, attempt, text, updatedAt: now().toISOString(), expiresAt: expiresAt() }
  const followedUntil = await write(ref, said)
  return { accepted: true, is_followed: followedUntil > millis() }
}

/** Answers until when somebody follows: 0 where nobody ever has, or where the successor of this container was faster. */
async function write({ accountId, taskId }: Run.Ref, said: Omit<SaidRow, "accountId" | "taskId">): Promise<number> {
  try {
    const { data } = await DeltaEntity.upsert({ accountId, taskId })
      .set(said)
      .where((row, { lte, notExists }) => `${notExists(row.attempt)} OR ${lte(row.attempt, said.attempt)}`)
      .go({ response: "all_new" })
    return data.followedUntil ?? 0
  } catch (error) {
    if (isRefused(error)) return 0
    throw error
  }
}

/** Somebody follows the conversation from now on, and says so again every `followMs`. */
export async function follow(accountId: string, taskId: string) {
  await DeltaEntity.upsert({ accountId, taskId })
    .set({ followedUntil: millis() + followedMs, expiresAt: expiresAt() })
    .go()
}

/** Undefined where nothing has been said yet. */
export async function get(accountId: string, taskId: string): Promise<SaidRow | undefined> {
  const { data } = await DeltaEntity.get({ accountId, taskId }).go()
  return data?.text === undefined ? undefined : (data as SaidRow)
}

export const view = ({ turnNumber, text, updatedAt }: SaidRow): z.infer<typeof View> => ({ turnNumber, text, updatedAt })
