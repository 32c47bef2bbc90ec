import { randomUUID } from "node:crypto"
import { TransactionCanceledException } from "@aws-sdk/client-dynamodb"
import {
  TransactWriteCommand,
  type TransactWriteCommandInput,
  UpdateCommand,
  type UpdateCommandInput,
} from "@aws-sdk/lib-dynamodb"
import { documents } from "./aws.ts"
import { sleep } from "./clock.ts"
import { Problem } from "./problem.ts"
import * as Request from "./request.ts"

type Item = NonNullable<TransactWriteCommandInput["TransactItems"]>[number]

/** An ElectroDB call that was not sent: `Entity.create(…)`, `Entity.patch(…).set(…)`, `Entity.delete(…)`, or what `check` makes. */
interface Write {
  params(): object
}

/** Undefined entries are left out, so that a caller can write conditions inline. */
export type Writes<Name extends string> = Partial<Record<Name, Write | undefined>>

const checks = new WeakSet<Write>()

/** Turns the deletion of an item under a condition into the bare condition: `check(AgentEntity.delete(key).where(…))`. */
export const check = <Deletion extends Write>(deletion: Deletion) => {
  checks.add(deletion)
  return deletion
}

const item = (write: Write): Item => {
  const params = write.params()
  if (checks.has(write)) return { ConditionCheck: params } as Item
  if ("Item" in params) return { Put: params } as Item
  return ("UpdateExpression" in params ? { Update: params } : { Delete: params }) as Item
}

const tries = 6

/**
 * An item takes one transaction at a time, and DynamoDB refuses the others at once: a burst of tasks of one account, whose row each of
 * them changes, takes turns. That takes some seconds at most, which is less than a caller waits.
 */
const turns = { most: 12, longestMs: 1_000 }

/** Reasons of a cancelled transaction that pass. */
const passes = new Set(["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])

/**
 * Writes everything or nothing. Answers the names of the writes whose condition did not hold; none means that it is done. A
 * conflict with another transaction is tried again here, since the SDK does not. Raises `unavailable` where that goes on.
 *
 * In a request with an idempotency key the transaction also says that it is done, and one that was committed before is not sent
 * again. Raises what the request's own precondition raises, and `idempotency_in_progress` where another attempt has taken over.
 */
export async function transact<Name extends string>(writes: Writes<Name>): Promise<Name[]> {
  const entries = Object.entries(writes).filter(([, write]) => write !== undefined) as [Name, Write][]
  const step = Request.step()
  if (step?.isCommitted) return passing(step)
  await Request.precondition()
  const TransactItems = [...entries.map(([, write]) => item(write)), ...(step ? [item(step.mark)] : [])]
  if (!TransactItems.length) return []
  for (let attempt = 1; ; attempt++) {
    try {
      // A try whose answer got lost is sent again by the SDK: by its token it is known, and done once.
      await documents.send(new TransactWriteCommand({ TransactItems, ClientRequestToken: randomUUID() }))
      return passing(step)
    } catch (error) {
      if (!(error instanceof TransactionCanceledException)) throw error
      const codes = (error.CancellationReasons ?? []).map(({ Code }) => Code)
      const refused = entries.filter((_, i) => codes[i] === "ConditionalCheckFailed").map(([name]) => name)
      if (refused.length) return refused
      if (codes[entries.length] === "ConditionalCheckFailed") throw new Problem("idempotency_in_progress")
      if (!codes.some((code) => passes.has(code ?? ""))) throw error
      if (attempt === turns.most) throw new Problem("unavailable")
      await sleep(Math.min(10 * 2 ** attempt, turns.longestMs) * (0.5 + Math.random()))
    }
  }
}

/** Whether an earlier attempt at the running request has committed its next transaction, which is passed over then. */
export function isRepeated(): boolean {
  const step = Request.step()
  if (!step?.isCommitted) return false
  step.pass()
  return true
}

const passing = (step: ReturnType<typeof Request.step>) => {
  step?.pass()
  return []
}

/** Reads and writes again what somebody else came before, told by `undefined`. Raises `conflict` when that goes on. */
export async function untilWritten<Result>(attempt: () => Promise<Result | undefined>): Promise<Result> {
  for (let i = 0; i < tries; i++) {
    const result = await attempt()
    if (result !== undefined) return result
  }
  throw new Problem("conflict")
}

/** Whether a single write (outside a transaction) failed because of its condition. */
export const isRefused = (error: unknown) =>
  error instanceof Error &&
  (error.name === "ConditionalCheckFailedException" || /conditional request failed/i.test(error.message))

/** Makes a single write whose condition may well not hold. Answers whether it was made. */
export async function unlessRefused(write: { go(): Promise<unknown> }): Promise<boolean> {
  try {
    await write.go()
    return true
  } catch (error) {
    if (isRefused(error)) return false
    throw error
  }
}

/** The call of an update without all that ElectroDB does around a call, which takes as long again: for what runs by the thousand. */
export const bare = (update: Write) => ({ go: () => documents.send(new UpdateCommand(update.params() as UpdateCommandInput)) })
