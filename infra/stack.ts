import { createAlarms, createAlarmTopic } from "./alarms.ts"
import { Api } from "./api.ts"
import { createBucket } from "./bucket.ts"
import { createBudget } from "./budget.ts"
import { createBus } from "./bus.ts"
import { createDashboard } from "./dashboard.ts"
import { createEventRules } from "./events.ts"
import { createExecutionRole } from "./execution-role.ts"
import { home as homeOf } from "./home.ts"
import { createKeys } from "./keys.ts"
import { createLambdas } from "./lambda.ts"
import { Machine } from "./machine.ts"
import type { Parts } from "./parts.ts"
import { createRegistry } from "./registry.ts"
import { routesOf } from "./routes.ts"
import { createRuntimes } from "./runtime.ts"
import { checked, type Settings } from "./settings.ts"
import { readSources, type Sources } from "./sources.ts"
import { consumeStream } from "./stream.ts"
import { createTable } from "./table.ts"

/** Everything that one tenant's stack consists of. The sources are the repository's own unless a test brings others. */
export function defineStack(settings: Settings, sources: Sources = readSources()) {
  const home = homeOf(checked(settings))
  const keys = createKeys(home)
  const runtimes = createRuntimes(home, keys.data)
  const parts: Parts = {
    home,
    keys,
    table: createTable(home, keys.data),
    bucket: createBucket(home, keys.data),
    bus: createBus(home, keys.data),
    topic: createAlarmTopic(home, keys.data),
    runtimes,
    executionRole: createExecutionRole(home, runtimes),
    registry: createRegistry(home),
  }

  const routes = routesOf(sources.documents, sources.functions)
  const routed = (file: string) => routes.some((route) => route.file === file)
  const behindTheGateway = createLambdas(sources.functions.filter(routed), parts)
  const api = new Api(parts, routes, behindTheGateway)
  const others = createLambdas(
    sources.functions.filter((file) => !routed(file)),
    parts,
    api.url,
  )

  const machine = new Machine(parts, sources.machine, others)
  const stream = consumeStream(parts, others)
  createEventRules(home, runtimes, machine, others)

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
