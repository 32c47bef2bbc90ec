/**
 * BatchExecuteStatement, of the one kind of statement that this DynamoDB takes: an UPDATE of whole attributes whose values are all
 * parameters. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.update.html
 */
import { AwsError } from "../service.ts"
import { type Call, type Common, type Input, invalid } from "./call.ts"
import type { Store } from "./store.ts"
import { namesOf } from "./table.ts"
import { carryOut, type Write, writeOf } from "./write.ts"

const mostStatements = 25

interface Statement {
  Statement: string
  Parameters?: unknown[]
}

interface Request extends Input {
  Statements: Statement[]
  ReturnConsumedCapacity?: Common["ReturnConsumedCapacity"]
}

/** Carries out each statement by itself: one that fails is told of in its place, and undoes none of the others. */
export function batchExecuteStatement(call: Call, input: Input) {
  const { Statements, ReturnConsumedCapacity } = input as Request
  if (!Array.isArray(Statements) || Statements.length < 1 || Statements.length > mostStatements)
    throw invalid(
      `1 validation error detected: Value at 'statements' failed to satisfy constraint: Member must have length between 1 and ${mostStatements}`,
    )
  const writes = Statements.map((statement) => attempt(() => writeFor(call.store, statement)))
  const places = writes.flatMap((write) => (write instanceof AwsError ? [] : [`${write.table.TableName} ${write.key}`]))
  if (new Set(places).size < places.length) throw invalid("Provided list of item keys contains duplicates")
  return {
    Responses: writes.map((write) => {
      const outcome = write instanceof AwsError ? write : attempt(() => carryOut(call, write))
      return outcome instanceof AwsError ? { Error: { Code: codeOf(outcome), Message: outcome.message } } : {}
    }),
    ConsumedCapacity: call.bill.consumed(ReturnConsumedCapacity),
  }
}

function attempt<Result>(work: () => Result): Result | AwsError {
  try {
    return work()
  } catch (error) {
    if (error instanceof AwsError) return error
    throw error
  }
}

/** The errors of statements have names of their own. */
const codeOf = ({ code }: AwsError) => (code === "ValidationException" ? "ValidationError" : code.replace(/Exception$/, ""))

const name = String.raw`(?:"[^"]+"|[A-Za-z_]\w*)`
const table = /UPDATE\s+("[^"]+"|[\w.-]+)\s+/y
const action = new RegExp(String.raw`(?:SET\s+${name}\s*=\s*\?|REMOVE\s+${name})\s+`, "y")
const where = new RegExp(String.raw`WHERE\s+(${name}\s*=\s*\?(?:\s+AND\s+${name}\s*=\s*\?)*)\s*$`, "y")

const bare = (quoted: string) => quoted.replaceAll('"', "")
const namesIn = (text: string) => [...text.matchAll(new RegExp(`(${name})\\s*=`, "g"))].map(([, found]) => bare(found!))

/** The name of the table that a statement is about. */
export const tableOf = (statement: string) => bare(new RegExp(table).exec(statement)?.[1] ?? "")

/** The statement's words, in their order. */
function parse(statement: string) {
  let at = 0
  const take = (pattern: RegExp) => {
    pattern.lastIndex = at
    const found = pattern.exec(statement)
    if (found) at = pattern.lastIndex
    return found
  }
  const [, tableName] = take(table) ?? []
  const actions: string[] = []
  for (let found = take(action); found; found = take(action)) actions.push(found[0])
  const [, conditions] = take(where) ?? []
  if (!tableName || !actions.length || !conditions) throw invalid("Statement wasn't well formed, can't be processed")
  const removed = actions.flatMap((words) => /^REMOVE\s+(\S+)/.exec(words)?.[1] ?? [])
  return {
    tableName: bare(tableName),
    set: actions.flatMap(namesIn),
    removed: removed.map(bare),
    conditions: namesIn(conditions),
  }
}

/** The write that an UpdateItem of the same meaning would be, under the condition that the item is there. */
function writeFor(store: Store, { Statement, Parameters = [] }: Statement): Write {
  const { tableName, set, removed, conditions } = parse(Statement)
  if (Parameters.length !== set.length + conditions.length)
    throw invalid("Number of parameters in request and statement don't match.")
  const keys = namesOf(store.table(tableName).KeySchema)
  const [names, values]: Record<string, unknown>[] = [{}, {}]
  const nameOf = (attribute: string) => {
    const placeholder = `#n${Object.keys(names!).length}`
    names![placeholder] = attribute
    return placeholder
  }
  const equality = (attribute: string, i: number) => {
    values![`:v${i}`] = Parameters[i]
    return `${nameOf(attribute)} = :v${i}`
  }
  const sets = set.map(equality)
  const placed = conditions.map((attribute, i) => ({ attribute, i: i + set.length }))
  const rest = placed.filter(({ attribute }) => !keys.includes(attribute)).map(({ attribute, i }) => equality(attribute, i))
  const write = writeOf(store, "Update", {
    TableName: tableName,
    Key: Object.fromEntries(
      placed.filter(({ attribute }) => keys.includes(attribute)).map(({ attribute, i }) => [attribute, Parameters[i]]),
    ),
    UpdateExpression: [
      ...(sets.length ? [`SET ${sets.join(", ")}`] : []),
      ...(removed.length ? [`REMOVE ${removed.map(nameOf).join(", ")}`] : []),
    ].join(" "),
    ConditionExpression: [`attribute_exists(${nameOf(keys[0]!)})`, ...rest].join(" AND "),
    ExpressionAttributeNames: names,
    ...(Object.keys(values!).length && { ExpressionAttributeValues: values }),
  })
  if (write instanceof AwsError) throw write
  return write
}
