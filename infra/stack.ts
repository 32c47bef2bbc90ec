import { createAlarms, createAlarmTopic } from "./alarms.ts"
import { Api } from "./api.ts"
import { letGatewayLog } from "./api-log-role.ts"
import { createBucket } from "./bucket.ts"
import { createBudget } from "./budget.ts"
import { createBus } from "./bus.ts"
import { createDashboard } from "./dashboard.ts"
import { createDomain } from "./domain.ts"
import { createEventRules } from "./events.ts"
import { createExecutionRole } from "./execution-role.ts"
import { createFirewall } from "./firewall.ts"
import { type Home, home as homeOf } from "./home.ts"
import { IsolatedNetwork } from "./isolated.ts"
import { createKeys } from "./keys.ts"
import { createLambdas, type Lambdas } from "./lambda.ts"
import { Machine } from "./machine.ts"
import type { Parts } from "./parts.ts"
import { connectQueues, createQueues } from "./queues.ts"
import { createRegistry } from "./registry.ts"
import { type Route, routesOf } from "./routes.ts"
import { createRuntimes } from "./runtime.ts"
import { createSchedules } from "./schedules.ts"
import { checked, type Settings } from "./settings.ts"
import { readSources, type Sources } from "./sources.ts"
import { consumeStream } from "./stream.ts"
import { createTable } from "./table.ts"
import { tagAll } from "./tags.ts"
import { createUndelivered, letEventsIn } from "./undelivered.ts"

/** Everything that one tenant's stack consists of. The sources are the repository's own unless a test brings others. */
export function defineStack(settings: Settings, sources: Sources = readSources()) {
  const home = homeOf(checked(settings))
  checkNames(home.reservedConcurrency, sources.functions)
  tagAll(home)
  const parts = createParts(home)

  const routes = routesOf(sources.documents, sources.functions)
  const routed = (file: string) => routes.some((route) => route.file === file)
  const behindTheGateway = createLambdas(sources.functions.filter(routed), parts)
  const { api, urls } = createApis(parts, routes, behindTheGateway)
  const others = createLambdas(
    sources.functions.filter((file) => !routed(file)),
    parts,
    urls,
  )

  const machine = new Machine(parts, sources.machine, others)
  const stream = consumeStream(parts, others)
  const rules = [...createEventRules(parts, machine, others), connectQueues(parts, others)]
  letEventsIn("undelivered", parts.undelivered, [...rules, parts.bus])

  const lambdas = new Map([...behindTheGateway, ...others])
  createAlarms(parts, { api, machine, lambdas, stream })
  createDashboard(parts, { api, machine, lambdas })
  createBudget(home)

  return {
    apiUrl: api.url,
    tableName: parts.table.name,
    bucketName: parts.bucket.bucket,
    busName: parts.bus.name,
    imageRepository: parts.registry.repositoryUrl,
    alarmTopicArn: parts.topic.arn,
  }
}

function checkNames(reservedConcurrency: Settings["reservedConcurrency"], functions: string[]) {
  const stranger = Object.keys(reservedConcurrency).find((file) => !functions.includes(file))
  if (stranger) throw new Error(`Setting reservedConcurrency names functions/${stranger}.ts, which is not there`)
}

function createParts(home: Home): Parts {
  const keys = createKeys(home)
  const runtimes = createRuntimes(home, keys.data)
  const bucket = createBucket(home, keys.data)
  const topic = createAlarmTopic(home, { key: keys.data })
  const queues = createQueues(home, keys.data, topic)
  const undelivered = createUndelivered(home, keys.data, topic)
  return {
    home,
    keys,
    table: createTable(home, keys.data),
    bucket,
    bus: createBus(home, keys.data, undelivered),
    topic,
    queues,
    undelivered,
    schedules: createSchedules(home, keys.data, queues),
    runtimes,
    ...(home.isolatedNetwork && { isolated: new IsolatedNetwork(home, bucket) }),
    executionRole: createExecutionRole(home, runtimes),
    registry: createRegistry(home),
  }
}

/** The API of the customers, and where there is an isolated network a second, private one, with what its tasks may call. */
function createApis(parts: Parts, routes: Route[], lambdas: Lambdas) {
  const { home, isolated } = parts
  const dependsOn = home.setsApiLogRole ? [letGatewayLog(home)] : []
  const api = new Api("api", parts, { routes, lambdas }, { dependsOn })
  if (home.domain) createDomain(home.domain, api.stage)
  if (home.firewall) createFirewall(home, api.stage)
  if (!isolated) return { api, urls: { api: api.url, isolated: "" } }

  const ofTasks = routes.filter(({ path }) => path.startsWith("/agent/"))
  const inside = new Api("isolated", parts, { routes: ofTasks, lambdas, endpoint: isolated.endpoint }, { dependsOn })
  return { api, urls: { api: api.url, isolated: inside.url } }
}
