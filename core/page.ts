import * as z from "zod"
import { limits } from "./limits.ts"
import { sign, verify } from "./mac.ts"
import { invalid } from "./problem.ts"

export const PageInfo = z.object({
  hasMore: z.boolean(),
  nextCursor: z.string().nullable().describe("Give it back as `cursor` for the next page; null on the last one."),
})

/** Query parameters of a list. */
export const query = (defaultLimit: number = limits.page.default) => ({
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(limits.page.max)
    .optional()
    .describe(`How many to answer at most: 1 to ${limits.page.max}, ${defaultLimit} when left out.`),
  cursor: z.string().optional().describe("`nextCursor` of the page before."),
})

/** A page of `item`s. */
export const of = <Item extends z.ZodType>(item: Item) => z.object({ data: z.array(item), pageInfo: PageInfo })

export interface Request {
  limit?: number | undefined
  cursor?: string | undefined
}

/**
 * One page of a list. `fetch` answers up to `count` items after the position `after` (undefined: from the start); `position` says
 * where an item stands. Cursors carry a position and not a storage key, so that writes in between move nothing, and are signed for
 * the account and the list: another's cursor is refused as invalid.
 */
export async function paginate<Item>(
  accountId: string,
  list: string,
  { limit = limits.page.default, cursor }: Request,
  fetch: (after: string | undefined, count: number) => Promise<Item[]>,
  position: (item: Item) => string,
) {
  const purpose = `cursor ${accountId} ${list}`
  const after = cursor === undefined ? undefined : await verify(purpose, cursor)
  if (cursor !== undefined && after === undefined) throw invalid("cursor", "This is not a cursor of this list")

  const found = await fetch(after, limit + 1)
  const data = found.slice(0, limit)
  const hasMore = found.length > limit
  return { data, pageInfo: { hasMore, nextCursor: hasMore ? await sign(purpose, position(data.at(-1)!)) : null } }
}
