import type { DynamoDb } from "./dynamodb.ts"
import { AwsError, type Caller } from "./service.ts"
import type { EventSourceWiring, TableWiring, Wiring } from "./wiring.ts"

/** Makes what a deployment would have made: the tables of the wiring with their times to live. */

interface TableDescription {
  LatestStreamArn?: string
  GlobalSecondaryIndexes?: { IndexName: string }[]
}

/** Creates a table unless it is there, adds indexes that are new, and turns on its time to live. Answers with the ARN of its stream. */
export async function provideTable({ tables }: DynamoDb, wiring: TableWiring, caller: Caller): Promise<string | undefined> {
  const { name, create, ttlAttribute } = wiring
  const call = <T>(operation: string, input: Record<string, unknown>) =>
    tables.call(operation, { TableName: name, ...input }, caller) as Promise<T>
  await call("CreateTable", create).catch(unless("ResourceInUseException"))
  const { Table } = await call<{ Table: TableDescription }>("DescribeTable", {})
  for (const index of newIndexes(create, Table)) {
    const { AttributeDefinitions } = create
    await call("UpdateTable", { AttributeDefinitions, GlobalSecondaryIndexUpdates: [{ Create: index }] })
  }
  if (ttlAttribute) await provideTimeToLive(call, ttlAttribute)
  return Table.LatestStreamArn
}

const newIndexes = (create: Record<string, unknown>, { GlobalSecondaryIndexes = [] }: TableDescription) => {
  const wanted = (create.GlobalSecondaryIndexes ?? []) as { IndexName: string }[]
  return wanted.filter(({ IndexName }) => !GlobalSecondaryIndexes.some((index) => index.IndexName === IndexName))
}

async function provideTimeToLive(call: <T>(operation: string, input: Record<string, unknown>) => Promise<T>, attribute: string) {
  type Description = { TimeToLiveDescription: { TimeToLiveStatus: string } }
  const { TimeToLiveDescription } = await call<Description>("DescribeTimeToLive", {})
  if (TimeToLiveDescription.TimeToLiveStatus.startsWith("ENABL")) return
  await call("UpdateTimeToLive", { TimeToLiveSpecification: { Enabled: true, AttributeName: attribute } })
}

const unless = (code: string) => (error: unknown) => {
  if (!(error instanceof AwsError && error.code === code)) throw error
}

/** Names the streams of the tables here in the event sources: a stream's ARN ends with the time at which it was made. */
export const connectStreams = (wiring: Wiring, streams: ReadonlyMap<string, string>): EventSourceWiring[] =>
  wiring.eventSources.map((source) => {
    const table = wiring.tables.find(({ streamArn }) => streamArn === source.source)
    return { ...source, source: (table && streams.get(table.name)) ?? source.source }
  })
