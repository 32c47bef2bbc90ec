/** Started by durability.test.ts: writes transactions as fast as it can, and says after each that it was acknowledged. */
import { writeSync } from "node:fs"
import { openDynamoDb } from "../dynamodb.ts"

const [path, TableName] = process.argv.slice(2) as [string, string]
const { tables } = openDynamoDb({ path, region: "eu-central-1", account: "123456789012" })
const caller = { accessKeyId: "key", region: "eu-central-1" }

for (let n = 1; ; n++) {
  const put = (sk: string) => ({ Put: { TableName, Item: { pk: { S: String(n) }, sk: { S: sk } } } })
  await tables.call("TransactWriteItems", { TransactItems: [put("left"), put("right")] }, caller)
  writeSync(1, `${n}\n`)
}
