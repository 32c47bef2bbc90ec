/** What a table is: its keys, its indexes, and what an index holds of an item. */
import { keyText } from "./dynalite.ts"
import { attribute, type Item } from "./value.ts"

export interface KeyElement {
  AttributeName: string
  KeyType: "HASH" | "RANGE"
}

/** The part of a table's definition that says how items lie in it. */
export interface Schema {
  TableName: string
  AttributeDefinitions: { AttributeName: string; AttributeType: "S" | "N" | "B" }[]
  KeySchema: KeyElement[]
  GlobalSecondaryIndexes?: Index[]
  LocalSecondaryIndexes?: Index[]
}

export interface Index {
  IndexName: string
  KeySchema: KeyElement[]
  Projection: { ProjectionType: "ALL" | "INCLUDE" | "KEYS_ONLY"; NonKeyAttributes?: string[] }
  /** Number under which the store keeps its entries. */
  space: number
  local: boolean
}

export type View = "KEYS_ONLY" | "NEW_IMAGE" | "OLD_IMAGE" | "NEW_AND_OLD_IMAGES"

export interface Table extends Schema {
  /** Number under which the store keeps its items. */
  space: number
  TableId: string
  /** Milliseconds since the epoch. */
  createdAt: number
  protected: boolean
  /** Attribute with the time to live, in seconds since the epoch. */
  ttl?: string
  stream?: { arn: string; label: string; view: View; createdAt: number }
  tags: Record<string, string>
}

export const indexesOf = (table: Table): Index[] => [
  ...(table.GlobalSecondaryIndexes ?? []),
  ...(table.LocalSecondaryIndexes ?? []),
]

export const namesOf = (keys: KeyElement[]) => keys.map(({ AttributeName }) => AttributeName)

/** Type of a key attribute. */
export const typeOfKey = (table: Schema, name: string) =>
  table.AttributeDefinitions.find(({ AttributeName }) => AttributeName === name)!.AttributeType

/** The attributes of these names that the item has. */
export function pick(item: Item, names: Iterable<string>): Item {
  const picked: Item = {}
  for (const name of names) {
    const value = attribute(item, name)
    if (value) picked[name] = value
  }
  return picked
}

/** Key of an item in its table. */
export const keyOf = (item: Item, table: Table) => pick(item, namesOf(table.KeySchema))

/** Names of the attributes that an index holds; undefined if it holds all. */
export function projected(table: Table, { KeySchema, Projection }: Index): Set<string> | undefined {
  if (Projection.ProjectionType === "ALL") return undefined
  return new Set([...namesOf(table.KeySchema), ...namesOf(KeySchema), ...(Projection.NonKeyAttributes ?? [])])
}

/** What an index holds of an item: undefined if the item lacks one of the index's keys, or has it in another type. */
export function entryOf(item: Item | undefined, table: Table, index: Index): Item | undefined {
  if (!item || !namesOf(index.KeySchema).every((name) => attribute(item, name)?.[typeOfKey(table, name)] !== undefined))
    return undefined
  const names = projected(table, index)
  return names ? pick(item, names) : item
}

/** Where an entry lies in its index: by the index's keys, and by the table's among those that share them. */
export const entryText = (entry: Item, table: Table, index: Index) =>
  keyText(entry, table, index.KeySchema) + keyText(entry, table)
