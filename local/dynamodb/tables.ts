/** Making, describing, changing and deleting tables. Tables are there, or gone, at once. */
import { randomUUID } from "node:crypto"
import { millis } from "#core/clock.ts"
import { AwsError } from "../service.ts"
import { type Call, type Input, invalid } from "./call.ts"
import { keyText, parse } from "./dynalite.ts"
import type { Store } from "./store.ts"
import { entryOf, entryText, type Index, indexesOf, namesOf, type Schema, type Table, type View } from "./table.ts"

interface StreamSpecification {
  StreamEnabled: boolean
  StreamViewType?: View
}

interface CreateRequest extends Schema {
  BillingMode?: string
}

/** An on-demand table, with its indexes and stream. ResourceInUseException if there is one of that name. */
export function createTable(call: Call, input: Input) {
  const schema = checkSchema(input)
  if (call.store.find(schema.TableName)) throw new AwsError("ResourceInUseException", `Table already exists: ${schema.TableName}`)
  return call.store.atomically(() => {
    const table: Table = {
      ...schema,
      space: call.store.newSpace(schema.TableName),
      TableId: randomUUID(),
      createdAt: millis(),
      protected: input.DeletionProtectionEnabled === true,
      tags: tagsOf(input.Tags),
    }
    for (const index of table.GlobalSecondaryIndexes ?? []) enlist(call.store, table, index, false)
    for (const index of table.LocalSecondaryIndexes ?? []) enlist(call.store, table, index, true)
    setStream(call, table, input.StreamSpecification as StreamSpecification | undefined)
    call.store.define(table)
    return { TableDescription: describe(call, table, "CREATING") }
  })
}

function checkSchema(input: Input): Schema {
  const { TableName, AttributeDefinitions, KeySchema, GlobalSecondaryIndexes, LocalSecondaryIndexes, BillingMode } =
    parse<CreateRequest>("CreateTable", input)
  if (BillingMode !== "PAY_PER_REQUEST")
    throw invalid("This DynamoDB has on-demand tables only: BillingMode must be PAY_PER_REQUEST")
  for (const { Projection } of [...(GlobalSecondaryIndexes ?? []), ...(LocalSecondaryIndexes ?? [])])
    if (Projection.ProjectionType === "INCLUDE" && !Projection.NonKeyAttributes)
      throw invalid("One or more parameter values were invalid: ProjectionType is INCLUDE, but NonKeyAttributes is not specified")
  return { TableName, AttributeDefinitions, KeySchema, GlobalSecondaryIndexes, LocalSecondaryIndexes }
}

function enlist(store: Store, table: Table, index: Index, local: boolean) {
  index.space = store.newSpace(`${table.TableName}/${index.IndexName}`)
  index.local = local
}

function setStream({ store, region, account }: Call, table: Table, specification: StreamSpecification | undefined) {
  if (!specification) return
  if (!specification.StreamEnabled) {
    if (table.stream) store.dropStream(table.stream.arn)
    delete table.stream
    return
  }
  if (table.stream) throw invalid(`Table already has an enabled stream: ${table.TableName}`)
  if (!specification.StreamViewType) throw invalid("StreamViewType is needed where StreamEnabled is true")
  const createdAt = millis()
  const label = new Date(createdAt).toISOString().slice(0, -1)
  const arn = `arn:aws:dynamodb:${region}:${account}:table/${table.TableName}/stream/${label}`
  table.stream = { arn, label, view: specification.StreamViewType, createdAt }
}

/** The table, for operations on tables rather than items. */
function named(store: Store, name: string): Table {
  const table = store.find(name)
  if (!table) throw new AwsError("ResourceNotFoundException", `Requested resource not found: Table: ${name} not found`)
  return table
}

export function describeTable(call: Call, input: Input) {
  const { TableName } = parse<Schema>("DescribeTable", input)
  return { Table: describe(call, named(call.store, TableName)) }
}

export function deleteTable(call: Call, input: Input) {
  const { TableName } = parse<Schema>("DeleteTable", input)
  const table = named(call.store, TableName)
  if (table.protected)
    throw invalid("Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.")
  const TableDescription = describe(call, table, "DELETING")
  call.store.atomically(() => call.store.undefine(table))
  return { TableDescription }
}

export function listTables({ store }: Call, input: Input) {
  const { Limit = 100, ExclusiveStartTableName = "" } = parse<{ Limit?: number; ExclusiveStartTableName?: string }>(
    "ListTables",
    input,
  )
  const names = store.tables().flatMap(({ TableName }) => (TableName > ExclusiveStartTableName ? [TableName] : []))
  const TableNames = names.slice(0, Limit)
  return { TableNames, LastEvaluatedTableName: names.length > Limit ? TableNames.at(-1) : undefined }
}

interface UpdateRequest extends Input {
  TableName: string
  AttributeDefinitions?: Schema["AttributeDefinitions"]
  GlobalSecondaryIndexUpdates?: { Create?: Index; Delete?: { IndexName: string } }[]
  StreamSpecification?: StreamSpecification
  DeletionProtectionEnabled?: boolean
}

/** Adds and removes global indexes, switches the stream and the deletion protection. A new index has all items at once. */
export function updateTable(call: Call, input: Input) {
  const request = input as UpdateRequest
  const table = structuredClone(named(call.store, request.TableName))
  const { GlobalSecondaryIndexUpdates, StreamSpecification, DeletionProtectionEnabled } = request
  if (!GlobalSecondaryIndexUpdates && !StreamSpecification && DeletionProtectionEnabled === undefined)
    throw invalid(
      "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required",
    )
  return call.store.atomically(() => {
    for (const update of GlobalSecondaryIndexUpdates ?? []) {
      if (update.Create) addIndex(call.store, table, update.Create, request.AttributeDefinitions ?? [])
      else if (update.Delete) removeIndex(call.store, table, update.Delete.IndexName)
      else throw invalid("A global index of an on-demand table can be created or deleted only")
    }
    setStream(call, table, StreamSpecification)
    table.protected = DeletionProtectionEnabled ?? table.protected
    call.store.define(table)
    return { TableDescription: describe(call, table) }
  })
}

function addIndex(store: Store, table: Table, wanted: Index, definitions: Schema["AttributeDefinitions"]) {
  const GlobalSecondaryIndexes = [...(table.GlobalSecondaryIndexes ?? []), wanted]
  const known = table.AttributeDefinitions.map(({ AttributeName }) => AttributeName)
  const AttributeDefinitions = [...table.AttributeDefinitions, ...definitions.filter((one) => !known.includes(one.AttributeName))]
  // The check removes from what it is given whatever a request cannot hold, so it gets a copy.
  const wished = { ...table, GlobalSecondaryIndexes, AttributeDefinitions, BillingMode: "PAY_PER_REQUEST" }
  const schema = checkSchema(structuredClone(wished))
  const index = schema.GlobalSecondaryIndexes!.at(-1)!
  enlist(store, table, index, false)
  table.AttributeDefinitions = schema.AttributeDefinitions
  table.GlobalSecondaryIndexes = [...(table.GlobalSecondaryIndexes ?? []), index]
  for (const item of store.items(table, { from: "", to: "~", reverse: false })) {
    const entry = entryOf(item, table, index)
    if (entry) store.enter(index, entryText(entry, table, index), keyText(item, table))
  }
}

function removeIndex(store: Store, table: Table, name: string) {
  const index = table.GlobalSecondaryIndexes?.find(({ IndexName }) => IndexName === name)
  if (!index) throw new AwsError("ResourceNotFoundException", `Requested resource not found: Index: ${name} not found`)
  store.wipeIndex(index)
  const left = table.GlobalSecondaryIndexes!.filter((one) => one !== index)
  table.GlobalSecondaryIndexes = left.length ? left : undefined
  const used = new Set([table, ...indexesOf(table)].flatMap(({ KeySchema }) => namesOf(KeySchema)))
  table.AttributeDefinitions = table.AttributeDefinitions.filter(({ AttributeName }) => used.has(AttributeName))
}

const onDemand = { ReadCapacityUnits: 0, WriteCapacityUnits: 0, NumberOfDecreasesToday: 0 }

function describe({ store, region, account }: Call, table: Table, TableStatus = "ACTIVE") {
  const arn = `arn:aws:dynamodb:${region}:${account}:table/${table.TableName}`
  const { items, bytes } = store.total(table)
  const index = (one: Index) => ({
    IndexName: one.IndexName,
    IndexArn: `${arn}/index/${one.IndexName}`,
    KeySchema: one.KeySchema,
    Projection: one.Projection,
    ItemCount: store.totalEntries(one),
  })
  return {
    TableName: table.TableName,
    TableArn: arn,
    TableId: table.TableId,
    TableStatus,
    CreationDateTime: table.createdAt / 1000,
    AttributeDefinitions: table.AttributeDefinitions,
    KeySchema: table.KeySchema,
    ItemCount: items,
    TableSizeBytes: bytes,
    BillingModeSummary: { BillingMode: "PAY_PER_REQUEST", LastUpdateToPayPerRequestDateTime: table.createdAt / 1000 },
    ProvisionedThroughput: onDemand,
    DeletionProtectionEnabled: table.protected,
    LocalSecondaryIndexes: table.LocalSecondaryIndexes?.map(index),
    GlobalSecondaryIndexes: table.GlobalSecondaryIndexes?.map((one) => ({
      ...index(one),
      IndexStatus: TableStatus,
      ProvisionedThroughput: onDemand,
    })),
    ...(table.stream && {
      StreamSpecification: { StreamEnabled: true, StreamViewType: table.stream.view },
      LatestStreamArn: table.stream.arn,
      LatestStreamLabel: table.stream.label,
    }),
  }
}

export function updateTimeToLive({ store }: Call, { TableName, TimeToLiveSpecification }: Input) {
  const { Enabled, AttributeName } = (TimeToLiveSpecification ?? {}) as { Enabled?: boolean; AttributeName?: string }
  if (typeof Enabled !== "boolean" || !AttributeName) throw invalid("TimeToLiveSpecification needs Enabled and AttributeName")
  const table = { ...named(store, String(TableName)) }
  if (Enabled && table.ttl === AttributeName) throw invalid("TimeToLive is already enabled")
  if (!Enabled && table.ttl === undefined) throw invalid("TimeToLive is already disabled")
  if (table.ttl !== undefined && table.ttl !== AttributeName)
    throw invalid(`TimeToLive is active on a different AttributeName: current AttributeName is ${table.ttl}`)
  table.ttl = Enabled ? AttributeName : undefined
  store.atomically(() => {
    store.define(table)
    store.renewExpiry(table)
  })
  return { TimeToLiveSpecification: { Enabled, AttributeName } }
}

export function describeTimeToLive({ store }: Call, { TableName }: Input) {
  const { ttl } = named(store, String(TableName))
  return { TimeToLiveDescription: { TimeToLiveStatus: ttl === undefined ? "DISABLED" : "ENABLED", AttributeName: ttl } }
}

type Tag = { Key: string; Value: string }

const tagsOf = (tags: unknown) => Object.fromEntries(((tags ?? []) as Tag[]).map(({ Key, Value }) => [Key, Value]))

function changeTags({ store }: Call, arn: unknown, change: (tags: Table["tags"]) => Table["tags"]) {
  const table = named(store, String(arn).split("/").at(-1)!)
  store.atomically(() => store.define({ ...table, tags: change(table.tags) }))
  return {}
}

export const tagResource = (call: Call, { ResourceArn, Tags }: Input) =>
  changeTags(call, ResourceArn, (tags) => ({ ...tags, ...tagsOf(Tags) }))

export const untagResource = (call: Call, { ResourceArn, TagKeys }: Input) =>
  changeTags(call, ResourceArn, (tags) =>
    Object.fromEntries(Object.entries(tags).filter(([key]) => !(TagKeys as string[]).includes(key))),
  )

export function listTagsOfResource({ store }: Call, { ResourceArn }: Input) {
  const { tags } = named(store, String(ResourceArn).split("/").at(-1)!)
  return { Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })) }
}
