import { readFileSync } from "node:fs"
import { every, type Graph } from "./graph.ts"

/**
 * What a month costs: counted calls (`bench/golden/counts.json`, made by `npm run bench:counts`) times a dated table of prices
 * (`prices.json`). What is neither counted nor in the table is an assumption, and stands here.
 */

/** A run of a function, at 512 MB: they wait for the table most of the time. Runs of the model gateway are reported apart. */
const runSeconds = 0.1
const runGb = 0.5
/** A heartbeat comes every thirty seconds while a container works. */
const heartbeatsPerMinute = 2
/** The daemon sends what its agent has said at most once a second; an agent mostly waits for its model. */
const logBatchesPerMinute = 4
/** A container is billed from the pull of its image to its stop, and is as large as `core/fargate.ts` starts them. */
const startMinutes = 1
const container = { vcpus: 1, memoryGb: 4 }
/** A message is sent, received and deleted; only the first is a call that the embedded AWS sees. */
const requestsPerMessage = 3
/** The sweeper and what polls the queues when there is nothing: five pollers for each of three queues, every twenty seconds. */
const sweepsPerMonth = 12 * 24 * 30
const idlePollsPerMonth = 3 * 5 * 3 * 60 * 24 * 30
const registryGb = 0.2

export interface Profile {
  tasks: number
  minutes: number
  hibernations: number
}

type Tally = Record<string, number>
type Counts = Record<"task" | "heartbeat" | "logBatch" | "hibernation", Tally>
type Prices = Record<string, [price: number, per: string]>
type Bill = Record<string, number>

const read = (path: string) => JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8"))
export const readCounts = () => read("../bench/golden/counts.json") as Counts
export const { date, source, regions } = read("prices.json") as {
  date: string
  source: string
  regions: Record<string, Prices>
}

/** What is asked for by one task of a profile: itself, its heartbeats, its log and its sleeps. */
function tallyOf(counts: Counts, { minutes, hibernations }: Profile): Tally {
  const parts: [Tally, number][] = [
    [counts.task, 1],
    [counts.heartbeat, minutes * heartbeatsPerMinute],
    [counts.logBatch, minutes * logBatchesPerMinute],
    [counts.hibernation, hibernations],
  ]
  const sum: Tally = {}
  for (const [tally, times] of parts)
    for (const [name, count] of Object.entries(tally)) sum[name] = (sum[name] ?? 0) + count * times
  return sum
}

const sumOf = (tally: Tally, names: RegExp) =>
  Object.entries(tally).reduce((sum, [name, count]) => sum + (names.test(name) ? count : 0), 0)

/** The bill of so many tasks for the control plane, by service. */
export function controlPlane(profile: Profile, region: string, counts = readCounts()): Bill {
  const price = priceIn(region)
  const tally = tallyOf(counts, profile)
  const millions = (name: string, count: number) => (price(name) * count * profile.tasks) / 1e6
  return {
    "API Gateway": millions("apiRequest", tally.requests ?? 0),
    Lambda: millions("lambdaRequest", tally.runs ?? 0) + millions("lambdaGbSecond", (tally.runs ?? 0) * runSeconds * runGb),
    DynamoDB: millions("writeUnit", tally.writeUnits ?? 0) + millions("readUnit", tally.readUnits ?? 0),
    "Step Functions": millions("transition", tally.transitions ?? 0),
    EventBridge: millions("event", tally.events ?? 0),
    SQS: millions("queueRequest", (sumOf(tally, /^sqs:Send/) + (tally.events ?? 0)) * requestsPerMessage),
    S3:
      millions("objectWrite", sumOf(tally, /^s3:(Put|Copy|Create|Complete|Upload|List)/)) +
      millions("objectRead", sumOf(tally, /^s3:(Get|Head)/)),
    KMS: millions("kmsRequest", sumOf(tally, /^kms:/)),
    "CloudWatch Logs": (price("logGb") * (tally.logBytes ?? 0) * profile.tasks) / 1024 ** 3,
  }
}

/** The bill of their containers. */
export function containers({ tasks, minutes, hibernations }: Profile, region: string): Bill {
  const price = priceIn(region)
  const hours = (tasks * (minutes + startMinutes * (1 + hibernations))) / 60
  return {
    Fargate: hours * (price("vcpuHour") * container.vcpus + price("memoryGbHour") * container.memoryGb),
    "public addresses": hours * price("addressHour"),
  }
}

/** What a stack costs in a month in which nothing happens. */
export function idle(graph: Graph, region: string): Bill {
  const price = priceIn(region)
  return {
    "KMS keys": every(graph, "kms/key:Key").length * price("kmsKey"),
    "CloudWatch alarms": every(graph, "cloudwatch/metricAlarm:MetricAlarm").length * price("alarm"),
    "the sweeper": (sweepsPerMonth * (price("lambdaRequest") + runSeconds * runGb * price("lambdaGbSecond"))) / 1e6,
    "polling of queues": (idlePollsPerMonth * price("queueRequest")) / 1e6,
    "our image": registryGb * price("registryGb"),
  }
}

function priceIn(region: string) {
  const prices = regions[region]
  if (!prices) throw new Error(`There are no prices for ${region}: ${Object.keys(regions).join(", ")}`)
  return (name: string) => {
    const [price] = prices[name] ?? []
    if (price === undefined) throw new Error(`There is no price for ${name} in ${region}`)
    return price
  }
}

export const total = (bill: Bill) => Object.values(bill).reduce((sum, usd) => sum + usd, 0)

/** What the architecture allows: USD for a thousand tasks of twelve minutes without sleep, and for an idle month. */
export const targets = { thousandTasks: 0.45, idle: 10 }

const standard: Profile = { tasks: 1_000, minutes: 12, hibernations: 0 }
export const thousandTasks = (region: string) => total(controlPlane(standard, region))
