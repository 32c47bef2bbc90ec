import * as z from "zod"
import { limits } from "./limits.ts"
import { sign, verify } from "./mac.ts"
import { invalid } from "./problem.ts"

export const PageInfo = z.object({
  hasMore: z
    .boolean()
    .describe(
      "Go by this, and not by how many items there are: a filter may leave a page short, or even empty, before the last one.",
    ),
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
  request: Request,
  fetch: (after: string | undefined, count: number) => Promise<Item[]>,
  position: (item: Item) => string,
) {
  const { purpose, after, limit } = await begin(accountId, list, request)
  const found = await fetch(after, limit + 1)
  const data = found.slice(0, limit)
  return pageOf(purpose, data, found.length > limit ? position(data.at(-1)!) : undefined)
}

/**
 * One page of those items of a list that are wanted. It looks at so many items and no more: what is rare is found over several pages,
 * some of which may be empty.
 */
export async function search<Item>(
  accountId: string,
  list: string,
  request: Request,
  fetch: (after: string | undefined, count: number) => Promise<Item[]>,
  position: (item: Item) => string,
  isWanted: (item: Item) => boolean,
) {
  const { purpose, after, limit } = await begin(accountId, list, request)
  const data: Item[] = []
  let at = after
  for (let seen = 0; seen < limits.page.searched; ) {
    const count = seen ? searchedAtOnce : limit + 1
    const items = await fetch(at, count)
    for (const item of items.filter(isWanted)) {
      if (data.length === limit) return pageOf(purpose, data, position(data.at(-1)!))
      data.push(item)
    }
    if (items.length < count) return pageOf(purpose, data, undefined)
    at = position(items.at(-1)!)
    seen += count
  }
  return pageOf(purpose, data, at)
}

const searchedAtOnce = 200

async function begin(accountId: string, list: string, { limit = limits.page.default, cursor }: Request) {
  const purpose = `cursor ${accountId} ${list}`
  const after = cursor === undefined ? undefined : await verify(purpose, cursor)
  if (cursor !== undefined && after === undefined) throw invalid("cursor", "This is not a cursor of this list")
  return { purpose, after, limit }
}

/** What is after `next`, is on the next page; undefined where nothing is. */
const pageOf = async <Item>(purpose: string, data: Item[], next: string | undefined) => ({
  data,
  pageInfo: { hasMore: next !== undefined, nextCursor: next === undefined ? null : await sign(purpose, next) },
})
