import { marshall, type marshallOptions, unmarshall } from "@aws-sdk/util-dynamodb"
import type { Client, Command, Input } from "./client.ts"
import { jsonCommand } from "./json.ts"

interface Translation {
  marshallOptions?: marshallOptions
}

/** DynamoDB with plain values in place of its typed ones. Bytes are not among them: the one table has none, and DynamoDB refuses what they become. */
export class DynamoDBDocumentClient {
  readonly #client: Client
  readonly #options: marshallOptions | undefined

  private constructor(client: Client, { marshallOptions }: Translation) {
    this.#client = client
    this.#options = marshallOptions
  }

  static from(client: Client, translation: Translation = {}) {
    return new DynamoDBDocumentClient(client, translation)
  }

  async send(command: Command): Promise<Input> {
    const typed = new (command.constructor as new (input: Input) => Command)(
      inPlaces(command.input, (value) => marshall(value, this.#options)) as Input,
    )
    return (await this.#client.send(typed)) as Input
  }
}

/** Where an item's values lie in what DynamoDB is sent and answers; at some, a list of items. */
const places = new Set([
  "Item",
  "Items",
  "Key",
  "Keys",
  "Attributes",
  "ExpressionAttributeValues",
  "ExclusiveStartKey",
  "LastEvaluatedKey",
  "Parameters",
])

function inPlaces(value: unknown, convert: (item: Input) => unknown): unknown {
  if (Array.isArray(value)) return value.map((member) => inPlaces(member, convert))
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name,
      member !== undefined && places.has(name) ? each(member, convert) : inPlaces(member, convert),
    ]),
  )
}

const each = (items: Input | Input[], convert: (item: Input) => unknown) =>
  Array.isArray(items) ? items.map(convert) : convert(items)

const plain = (item: Input) => unmarshall(item)

const dynamodb = { target: "DynamoDB_20120810", version: "1.0" } as const
const command = (operation: string) =>
  jsonCommand(operation, { ...dynamodb, output: (members) => inPlaces(members, plain) as Input })

export const GetCommand = command("GetItem")
export const PutCommand = command("PutItem")
export const UpdateCommand = command("UpdateItem")
export const DeleteCommand = command("DeleteItem")
export const QueryCommand = command("Query")
export const ScanCommand = command("Scan")
export const BatchWriteCommand = command("BatchWriteItem")
export const TransactWriteCommand = command("TransactWriteItems")
export const TransactGetCommand = command("TransactGetItems")
export const BatchExecuteStatementCommand = command("BatchExecuteStatement")
/** The one answer that has items below their table's name. */
export const BatchGetCommand = jsonCommand("BatchGetItem", {
  ...dynamodb,
  output: ({ Responses = {}, UnprocessedKeys, ...others }) => ({
    ...others,
    Responses: Object.fromEntries(
      Object.entries(Responses as Record<string, Input[]>).map(([table, items]) => [table, items.map(plain)]),
    ),
    UnprocessedKeys: inPlaces(UnprocessedKeys, plain),
  }),
})

/** Page by page, until there is none. */
export async function* paginateQuery({ client }: { client: DynamoDBDocumentClient }, input: Input) {
  let ExclusiveStartKey: Input | undefined = input.ExclusiveStartKey
  do {
    const page = await client.send(new QueryCommand({ ...input, ExclusiveStartKey }))
    yield page
    ExclusiveStartKey = page.LastEvaluatedKey
  } while (ExclusiveStartKey)
}
