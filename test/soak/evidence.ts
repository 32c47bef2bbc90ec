import { ListExecutionsCommand, ListStateMachinesCommand } from "@aws-sdk/client-sfn"
import { paginateQuery } from "@aws-sdk/lib-dynamodb"
import type { Caller } from "../app.ts"
import { type Aws, type Item, sfnOf, tableOf } from "../aws.ts"

/** What can be known of accounts and tasks afterwards: from the API, and from what lies in the table. */

export interface TaskEvidence {
  id: string
  /** As the API shows it. */
  // biome-ignore lint/suspicious/noExplicitAny: bodies are read as a user's script would read them.
  view: any
  row: Item
  /** By attempt. */
  runs: Item[]
  /** By sequence. */
  events: Item[]
  outputs: Item[]
  /** The entries of the account's ledger that are about it. */
  ledger: Item[]
  /** Status of its execution; undefined where there is none. */
  execution: string | undefined
}

export interface AccountEvidence {
  accountId: string
  row: Item
  /** US dollars, as the API shows it. */
  balanceUsd: number
  ledger: Item[]
  tasks: TaskEvidence[]
}

interface Account extends Caller {
  accountId: string
}

/** Reads everything about these tasks of an account. */
export const evidenceOf = async (aws: Aws, account: Account, taskIds: string[]): Promise<AccountEvidence> => {
  const { accountId } = account
  const [executions, ledger, rows] = await Promise.all([
    executionsOf(aws),
    partition(aws, `${accountId}#ledger`),
    partition(aws, accountId),
  ])
  const tasks: TaskEvidence[] = []
  for (const id of taskIds) tasks.push(await taskEvidence(aws, account, id, ledger, executions))
  const { body } = await account.send("GET /account")
  return { accountId, row: rows.find(({ sk }) => sk === "account") ?? {}, balanceUsd: body.creditBalance, ledger, tasks }
}

const taskEvidence = async (aws: Aws, account: Account, id: string, ledger: Item[], executions: Map<string, string>) => {
  const found = await partition(aws, `${account.accountId}#${id}`)
  const of = (prefix: string) => found.filter(({ sk }) => String(sk).startsWith(prefix))
  const { body: view } = await account.send(`GET /tasks/${id}`)
  return {
    id,
    view,
    row: found.find(({ sk }) => sk === "task") ?? {},
    runs: of("run#").toSorted((a, b) => a.attempt - b.attempt),
    events: of("event#"),
    outputs: of("output#"),
    ledger: ledger.filter(({ taskId }) => taskId === id),
    execution: executions.get(`${id}-1`),
  }
}

/** Every item of a partition, in the order of the sort keys. */
const partition = async (aws: Aws, pk: string): Promise<Item[]> => {
  const pages = paginateQuery(
    { client: tableOf(aws) },
    { TableName: "dormouse", ConsistentRead: true, KeyConditionExpression: "pk = :pk", ExpressionAttributeValues: { ":pk": pk } },
  )
  const found: Item[] = []
  for await (const { Items = [] } of pages) found.push(...Items)
  return found
}

/** The status of every execution, by its name. */
export const executionsOf = async (aws: Aws): Promise<Map<string, string>> => {
  const sfn = sfnOf(aws)
  const { stateMachines = [] } = await sfn.send(new ListStateMachinesCommand({}))
  const found = new Map<string, string>()
  for (const { stateMachineArn } of stateMachines) {
    let nextToken: string | undefined
    do {
      const page = await sfn.send(new ListExecutionsCommand({ stateMachineArn, nextToken, maxResults: 1000 }))
      for (const { name, status } of page.executions ?? []) found.set(name!, status!)
      nextToken = page.nextToken
    } while (nextToken)
  }
  return found
}
