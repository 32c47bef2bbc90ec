import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { ScanCommand, type ScanCommandInput } from "@aws-sdk/client-dynamodb"
import { DescribeStreamCommand, GetRecordsCommand, GetShardIteratorCommand } from "@aws-sdk/client-dynamodb-streams"
import { afterEach, beforeEach, expect, test } from "vitest"
import { createTable, type Served, serve } from "./testing.ts"

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dynamodb-"))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const TableName = "things"

async function scanAll(served: Served) {
  const items: string[] = []
  let ExclusiveStartKey: ScanCommandInput["ExclusiveStartKey"]
  do {
    const page = await served.client.send(new ScanCommand({ TableName, ExclusiveStartKey }))
    items.push(...page.Items!.map(({ pk, sk }) => `${pk!.S} ${sk!.S}`))
    ExclusiveStartKey = page.LastEvaluatedKey
  } while (ExclusiveStartKey)
  return new Set(items)
}

async function countRecords(served: Served, StreamArn: string) {
  const { StreamDescription } = await served.streams.send(new DescribeStreamCommand({ StreamArn }))
  const { ShardId } = StreamDescription!.Shards![0]!
  const start = { StreamArn, ShardId, ShardIteratorType: "TRIM_HORIZON" as const }
  let { ShardIterator } = await served.streams.send(new GetShardIteratorCommand(start))
  for (let count = 0; ; ) {
    const page = await served.streams.send(new GetRecordsCommand({ ShardIterator }))
    if (!page.Records!.length) return count
    count += page.Records!.length
    ShardIterator = page.NextShardIterator
  }
}

test("what was acknowledged survives kill -9, with its stream records, and no transaction is there by half", async () => {
  const path = join(folder, "dynamodb.sqlite")
  const first = await serve({ path })
  const StreamSpecification = { StreamEnabled: true, StreamViewType: "KEYS_ONLY" } as const
  const { LatestStreamArn } = await createTable(first.client, TableName, { StreamSpecification })
  await first.close()

  const child = spawn(process.execPath, [fileURLToPath(new URL("./durability.child.ts", import.meta.url)), path, TableName], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  let acknowledged = 0
  for await (const line of createInterface(child.stdout)) {
    acknowledged = Number(line)
    if (acknowledged === 300) child.kill("SIGKILL")
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit")
  expect(child.signalCode).toBe("SIGKILL")

  const second = await serve({ path })
  const items = await scanAll(second)
  for (let n = 1; n <= acknowledged; n++) expect(items.has(`${n} left`) && items.has(`${n} right`)).toBe(true)
  for (const item of items) {
    const [pk] = item.split(" ")
    expect(items.has(`${pk} left`) && items.has(`${pk} right`)).toBe(true)
  }
  expect(acknowledged).toBeGreaterThanOrEqual(300)
  expect(await countRecords(second, LatestStreamArn!)).toBe(items.size)
  await second.close()
})
