/**
 * Read and write units by DynamoDB's rules. A read unit is 4 KB read consistently, a write unit 1 KB written; both are rounded up
 * for each item, or for each page of a query or scan. Transactions cost twice that on the table, and once on its indexes.
 */
import { entryOf, entryText, type Index, indexesOf, type Table } from "./table.ts"
import { equal, type Item, sizeOf } from "./value.ts"

/** What one call has used of one table. Index writes are by the name of the index; reads of an index are among the reads. */
export interface Units {
  operation: string
  table: string
  read: number
  write: number
  indexWrites: Record<string, number>
}

interface Use {
  read: number
  write: number
}

interface Charge {
  table: Use
  indexes: Map<string, Use & { local: boolean }>
}

export type Detail = "NONE" | "TOTAL" | "INDEXES" | undefined

/** How a call reads: a consistent read costs a unit for 4 KB, an eventually consistent one half, one in a transaction two. */
export const perRead = { eventual: 0.5, consistent: 1, transaction: 2 } as const

/** Units for reading this many bytes. Even what is not there costs one step. */
export const readUnits = (bytes: number, kind: keyof typeof perRead) => Math.max(1, Math.ceil(bytes / 4096)) * perRead[kind]

const writeUnits = (bytes: number) => Math.max(1, Math.ceil(bytes / 1024))

const sizeOfAny = (item: Item | undefined) => (item ? sizeOf(item) : 0)

/** Units of a write to the table itself: by the larger of the item before and after. */
export const tableUnits = (before: Item | undefined, after: Item | undefined) =>
  writeUnits(Math.max(sizeOfAny(before), sizeOfAny(after)))

/**
 * Units of a write to one index: none if what the index holds of the item stays the same, a deletion and a put if its place
 * in the index changes, else one write of the larger entry.
 */
function indexUnits(table: Table, index: Index, before: Item | undefined, after: Item | undefined): number {
  const old = entryOf(before, table, index)
  const fresh = entryOf(after, table, index)
  if (!old && !fresh) return 0
  if (!old || !fresh) return writeUnits(sizeOfAny(old ?? fresh))
  if (entryText(old, table, index) !== entryText(fresh, table, index)) return writeUnits(sizeOf(old)) + writeUnits(sizeOf(fresh))
  return equal({ M: old }, { M: fresh }) ? 0 : writeUnits(Math.max(sizeOf(old), sizeOf(fresh)))
}

/** Adds up what one call uses, table by table. */
export class Bill {
  readonly #charges = new Map<string, Charge>()

  read(table: Table, units: number, index?: Index) {
    this.#use(table, index).read += units
  }

  write(table: Table, units: number, index?: Index) {
    if (units > 0) this.#use(table, index).write += units
  }

  /** Charges a whole write: the table, and every index that it changes. */
  change(table: Table, before: Item | undefined, after: Item | undefined, perTableUnit = 1) {
    this.write(table, tableUnits(before, after) * perTableUnit)
    for (const index of indexesOf(table)) this.write(table, indexUnits(table, index, before, after), index)
  }

  #use(table: Table, index?: Index): Use {
    const charge = this.#charges.get(table.TableName) ?? { table: { read: 0, write: 0 }, indexes: new Map() }
    this.#charges.set(table.TableName, charge)
    if (!index) return charge.table
    const use = charge.indexes.get(index.IndexName) ?? { read: 0, write: 0, local: index.local }
    charge.indexes.set(index.IndexName, use)
    return use
  }

  /** One record for each table that was used. */
  units(operation: string): Units[] {
    return [...this.#charges].map(([table, charge]) => ({
      operation,
      table,
      read: sum(charge, "read"),
      write: charge.table.write,
      indexWrites: Object.fromEntries([...charge.indexes].flatMap(([name, { write }]) => (write > 0 ? [[name, write]] : []))),
    }))
  }

  /** What `ReturnConsumedCapacity` asks for, table by table; undefined if it asks for nothing. */
  consumed(detail: Detail, split = false): object[] | undefined {
    if (detail !== "TOTAL" && detail !== "INDEXES") return undefined
    return [...this.#charges].map(([TableName, charge]) => ({
      TableName,
      ...capacity({ read: sum(charge, "read"), write: sum(charge, "write") }, split),
      ...(detail === "INDEXES" && { Table: capacity(charge.table, split), ...indexes(charge, split) }),
    }))
  }
}

const sum = ({ table, indexes: all }: Charge, kind: keyof Use) =>
  [...all.values()].reduce((total, use) => total + use[kind], table[kind])

/** Transactions tell reads and writes apart, other calls are one or the other. */
const capacity = ({ read, write }: Use, split: boolean) => ({
  CapacityUnits: read + write,
  ...(split && read > 0 && { ReadCapacityUnits: read }),
  ...(split && write > 0 && { WriteCapacityUnits: write }),
})

function indexes(charge: Charge, split: boolean) {
  const of = (local: boolean) =>
    [...charge.indexes].filter(([, use]) => use.local === local).map(([name, use]) => [name, capacity(use, split)] as const)
  const [global, local] = [of(false), of(true)]
  return {
    ...(global.length > 0 && { GlobalSecondaryIndexes: Object.fromEntries(global) }),
    ...(local.length > 0 && { LocalSecondaryIndexes: Object.fromEntries(local) }),
  }
}
