import { arnOf, every, type Graph, nameOf, type Of, text } from "../graph.ts"
import { functionNamed } from "./functions.ts"
import type { EventSourceWiring, TableWiring } from "./types.ts"

type Inputs = Of<"dynamodb/table:Table">["inputs"]
type Index = NonNullable<Inputs["globalSecondaryIndexes"]>[number]

/** Every table, as CreateTable would make it. */
export const tableWiring = (graph: Graph): TableWiring[] =>
  every(graph, "dynamodb/table:Table").map((table) => ({
    name: nameOf(table),
    arn: arnOf(table),
    ...(table.inputs.streamEnabled && { streamArn: text(table, "streamArn") }),
    create: createTableInput(nameOf(table), table.inputs),
    ...(table.inputs.ttl?.enabled && { ttlAttribute: table.inputs.ttl.attributeName }),
  }))

const createTableInput = (name: string, inputs: Inputs) => ({
  TableName: name,
  BillingMode: inputs.billingMode,
  AttributeDefinitions: inputs.attributes?.map(({ name, type }) => ({ AttributeName: name, AttributeType: type })),
  KeySchema: [
    { AttributeName: inputs.hashKey, KeyType: "HASH" },
    { AttributeName: inputs.rangeKey, KeyType: "RANGE" },
  ],
  GlobalSecondaryIndexes: inputs.globalSecondaryIndexes?.map(indexInput),
  StreamSpecification: inputs.streamEnabled
    ? { StreamEnabled: true, StreamViewType: inputs.streamViewType }
    : { StreamEnabled: false },
})

const indexInput = ({ name, keySchemas, projectionType, nonKeyAttributes }: Index) => ({
  IndexName: name,
  KeySchema: keySchemas?.map(({ attributeName, keyType }) => ({ AttributeName: attributeName, KeyType: keyType })),
  Projection: { ProjectionType: projectionType, ...(nonKeyAttributes && { NonKeyAttributes: nonKeyAttributes }) },
})

/** Every stream and queue that a function consumes. */
export const eventSourceWiring = (graph: Graph): EventSourceWiring[] =>
  every(graph, "lambda/eventSourceMapping:EventSourceMapping").map(({ inputs }) => ({
    source: inputs.eventSourceArn ?? "",
    function: functionNamed(graph, inputs.functionName),
    batchSize: inputs.batchSize ?? 100,
    windowSeconds: inputs.maximumBatchingWindowInSeconds ?? 0,
    filters: (inputs.filterCriteria?.filters ?? []).map(({ pattern }) => JSON.parse(pattern ?? "{}") as Record<string, unknown>),
    bisectOnError: inputs.bisectBatchOnFunctionError ?? false,
    maximumRetries: inputs.maximumRetryAttempts ?? -1,
    partialFailures: inputs.functionResponseTypes?.includes("ReportBatchItemFailures") ?? false,
    parallelization: inputs.parallelizationFactor ?? 1,
    ...(inputs.scalingConfig?.maximumConcurrency && { maximumConcurrency: inputs.scalingConfig.maximumConcurrency }),
    ...(inputs.destinationConfig?.onFailure && { failureDestinationArn: inputs.destinationConfig.onFailure.destinationArn }),
  }))
