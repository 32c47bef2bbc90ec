import { millis } from "./clock.ts"
import { FollowerEntity } from "./follower.entity.ts"

/**
 * Who reads what a task says, while it says it. Its container is told, and speaks once a second then; what nobody reads comes in
 * steps that cost less. Nothing depends on it.
 */

/** For how long somebody counts as following who has looked. */
const followedMs = 60_000
/** How often somebody who goes on looking has to say so. */
export const followMs = 30_000
/** An item that says nothing any more goes by itself. */
const keptSeconds = 86_400

interface Ref {
  accountId: string
  taskId: string
}

/** Somebody looks. Written where it has not been for a while, and never a reason to fail for whoever only reads. */
export async function look({ accountId, taskId }: Ref): Promise<void> {
  try {
    const now = millis()
    if ((await until({ accountId, taskId })) > now + followedMs - followMs) return
    const expiresAt = Math.floor(now / 1000) + keptSeconds
    await FollowerEntity.put({ accountId, taskId, until: now + followedMs, expiresAt }).go()
  } catch (error) {
    console.warn(error)
  }
}

/** Whether somebody looks, or did a minute ago. */
export const isFollowed = async (ref: Ref): Promise<boolean> => (await until(ref)) > millis()

/** 0 where nobody ever has. What was written a moment ago may be missed: it is asked again soon. */
async function until({ accountId, taskId }: Ref): Promise<number> {
  const { data } = await FollowerEntity.get({ accountId, taskId }).go()
  return data?.until ?? 0
}
