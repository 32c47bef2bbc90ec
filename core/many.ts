import { sleep } from "./clock.ts"

/** What one call has found, and the keys that DynamoDB had no time for. */
interface Found<Key, Row> {
  data: Row[]
  unprocessed: Key[]
}

const tries = 6

/** The rows under these keys that are there, each once, however often its key is given. What a call leaves out is asked for again. */
export async function rows<Key extends object, Row>(
  keys: readonly Key[],
  ask: (keys: Key[]) => Promise<Found<Key, Row>>,
): Promise<Row[]> {
  const found: Row[] = []
  let left = [...new Map(keys.map((key) => [JSON.stringify(key), key])).values()]
  for (let attempt = 1; left.length; attempt++) {
    const { data, unprocessed } = await ask(left)
    found.push(...data)
    left = unprocessed
    if (left.length && attempt === tries) throw new Error(`DynamoDB had no time for ${left.length} reads`)
    if (left.length) await sleep(10 * 2 ** attempt * (0.5 + Math.random()))
  }
  return found
}
