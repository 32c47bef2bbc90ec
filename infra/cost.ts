import { readFileSync } from "node:fs"
import { every, type Graph } from "./graph.ts"

/**
 * What a month costs: counted calls (`bench/golden/counts.json`, made by `npm run bench:counts`) times a dated table of prices
 * (`prices.json`). What is neither counted nor in the table is an assumption, and stands here.
 */

/**
 * How long functions run, from what was counted: each call to AWS takes so long, as if none went beside another; the processor time
 * that was measured where it was counted takes longer on a share of a processor: 1,769 MB of memory come with a whole one.
 * The table answers a read within 2 to 5 milliseconds and a transaction within 5 to 15; ECS takes a second to start a container. What a
 * function needs to start is left out, and so are the runs of the model gateway.
 */
const callSeconds = 0.005
const startCallSeconds = 1
const runGb = 0.5
const processorShare = 512 / 1769
/** An agent in conversation speaks for a quarter of its time, and mostly nobody follows: then its text is sent so often. */
const speaking = 0.25
const liveTextsPerMinute = 4
/** A container is billed from the pull of its image to its stop, and is as large as `core/fargate.ts` starts them. */
const startMinutes = 1
const container = { vcpus: 1, memoryGb: 4 }
/** A message is sent, received and deleted; only the first is a call that the embedded AWS sees. */
const requestsPerMessage = 3
/** A sweep looks into five indexes, and mostly finds nothing. */
const sweepSeconds = 0.05
/** The sweeper and what polls the queues when there is nothing: five pollers for each of three queues, every twenty seconds. */
const sweepsPerMonth = 12 * 24 * 30
const idlePollsPerMonth = 3 * 5 * 3 * 60 * 24 * 30
const registryGb = 0.2

export interface Profile {
  tasks: number
  /** Of work. */
  minutes: number
  hibernations: number
  /** Of a conversation; a task that is none has 0. After each its container stays for the next message, which comes too late. */
  turns: number
}

type Tally = Record<string, number>
type Step = "task" | "heartbeat" | "logBatch" | "renewingBatch" | "usage" | "turn" | "liveText" | "waiting" | "hibernation"
type Seconds = Record<"heartbeat" | "renewal" | "shortestLogPause" | "longestLogPause" | "usage" | "receive" | "warm", number>
type Counts = Record<Step, Tally> & { seconds: Seconds }
type Prices = Record<string, [price: number, per: string]>
type Bill = Record<string, number>

const read = (path: string) => JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8"))
export const readCounts = () => read("../bench/golden/counts.json") as Counts
export const { date, source, regions } = read("prices.json") as {
  date: string
  source: string
  regions: Record<string, Prices>
}

/**
 * The batches of log lines of an agent that never stops talking and that nobody reads, and how many of them renew its lease: their pause
 * doubles from the shortest to the longest. An agent that is silent at times asks for no more: a heartbeat puts the next batch off.
 */
export function logBatches(seconds: Seconds, minutes: number) {
  let [pause, at, renewedAt, renewing, others] = [seconds.shortestLogPause, 0, 0, 0, 0]
  for (at += pause; at <= minutes * 60; at += pause) {
    const isRenewing = at - renewedAt >= seconds.renewal
    if (isRenewing) renewedAt = at
    isRenewing ? renewing++ : others++
    pause = Math.min(pause * 2, seconds.longestLogPause)
  }
  return { renewing, others }
}

const waitingMinutes = ({ seconds }: Counts, turns: number) => (turns * seconds.warm) / 60

/** What is asked for by one task of a profile: itself, its heartbeats, its log, its turns with their waiting, and its sleeps. */
function tallyOf(counts: Counts, { minutes, hibernations, turns }: Profile): Tally {
  const { seconds } = counts
  // Each turn and each sleep begins with the shortest pause again.
  const stretches = Math.max(turns, 1) + hibernations
  const batches = logBatches(seconds, minutes / stretches)
  const waits = (turns * seconds.warm) / seconds.receive
  const parts: [Tally, number][] = [
    [counts.task, 1],
    [counts.heartbeat, (waitingMinutes(counts, turns) * 60) / seconds.heartbeat],
    [counts.renewingBatch, stretches * batches.renewing],
    [counts.logBatch, stretches * batches.others],
    [counts.usage, (minutes * 60) / seconds.usage],
    [counts.turn, turns],
    [counts.liveText, turns === 0 ? 0 : turns + minutes * speaking * liveTextsPerMinute],
    // However long its looks at the table take, the whole waits that long.
    [{ ...counts.waiting, awsCalls: 0, processorMs: 0, waitedSeconds: seconds.receive }, waits],
    [counts.hibernation, hibernations],
  ]
  const sum: Tally = {}
  for (const [tally, times] of parts)
    for (const [name, count] of Object.entries(tally)) sum[name] = (sum[name] ?? 0) + count * times
  return sum
}

/** How long functions run for it. */
const secondsOf = ({ awsCalls = 0, processorMs = 0, waitedSeconds = 0, "ecs:RunTask": starts = 0 }: Tally) =>
  awsCalls * callSeconds + processorMs / 1000 / processorShare + starts * startCallSeconds + waitedSeconds

const sumOf = (tally: Tally, names: RegExp) =>
  Object.entries(tally).reduce((sum, [name, count]) => sum + (names.test(name) ? count : 0), 0)

/** The bill of so many tasks for the control plane, by service. */
export function controlPlane(profile: Profile, region: string, counts = readCounts()): Bill {
  const price = priceIn(region)
  const tally = tallyOf(counts, profile)
  const { requests = 0, runs = 0, writeUnits = 0, readUnits = 0, transitions = 0, events = 0, logBytes = 0 } = tally
  const millions = (name: string, count: number) => (price(name) * count * profile.tasks) / 1e6
  return {
    "API Gateway": millions("apiRequest", requests),
    Lambda: millions("lambdaRequest", runs) + millions("lambdaGbSecond", secondsOf(tally) * runGb),
    DynamoDB: millions("writeUnit", writeUnits) + millions("readUnit", readUnits),
    "Step Functions": millions("transition", transitions),
    EventBridge: millions("event", events),
    SQS: millions("queueRequest", (sumOf(tally, /^sqs:Send/) + events) * requestsPerMessage),
    S3:
      millions("objectWrite", sumOf(tally, /^s3:(Put|Copy|Create|Complete|Upload|List)/)) +
      millions("objectRead", sumOf(tally, /^s3:(Get|Head)/)),
    KMS: millions("kmsRequest", sumOf(tally, /^kms:/)),
    "CloudWatch Logs": (price("logGb") * logBytes * profile.tasks) / 1024 ** 3,
  }
}

/** The bill of their containers. */
export function containers({ tasks, minutes, hibernations, turns }: Profile, region: string, counts = readCounts()): Bill {
  const price = priceIn(region)
  const hours = (tasks * (minutes + waitingMinutes(counts, turns) + startMinutes * (1 + hibernations))) / 60
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
    "the sweeper": (sweepsPerMonth * (price("lambdaRequest") + sweepSeconds * runGb * price("lambdaGbSecond"))) / 1e6,
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

const standard: Profile = { tasks: 1_000, minutes: 12, hibernations: 0, turns: 0 }
export const thousandTasks = (region: string) => total(controlPlane(standard, region))
