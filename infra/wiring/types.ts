/** The same shape as `local/wiring.ts`, which says what everything means. A test holds the two together. */
export interface Wiring {
  region: string
  account: string
  functions: Record<string, FunctionWiring>
  roles: Record<string, StatementWiring[]>
  api: ApiWiring
  tables: TableWiring[]
  buckets: { name: string; arn: string; corsRules: CorsRule[] }[]
  keys: { arn: string; region: string; usage: "ENCRYPT_DECRYPT" | "GENERATE_VERIFY_MAC" }[]
  buses: Record<string, { name: string; region: string; rules: RuleWiring[] }>
  queues: QueueWiring[]
  eventSources: EventSourceWiring[]
  scheduleGroups: string[]
  stateMachines: Record<string, { name: string; role: string; definition: object }>
  clusters: { name: string; arn: string; region: string }[]
}

interface CorsRule {
  allowedOrigins: string[]
  allowedMethods: string[]
  allowedHeaders?: string[]
  exposeHeaders?: string[]
  maxAgeSeconds?: number
}

interface FunctionWiring {
  arn: string
  bundle: string
  handler: string
  environment: Record<string, string>
  timeoutSeconds: number
  memoryMb: number
  role: string
}

interface StatementWiring {
  effect: "Allow" | "Deny"
  actions: string[]
  resources: string[]
  condition?: Record<string, Record<string, string | string[]>>
}

export interface ApiWiring {
  id: string
  stage: string
  routes: { method: string; path: string; function: string; streaming: boolean; timeoutSeconds: number }[]
  gatewayResponses: Record<string, { status?: number; headers: Record<string, string>; body: string }>
  binaryMediaTypes: string[]
}

export interface TableWiring {
  name: string
  arn: string
  streamArn?: string
  create: Record<string, unknown>
  ttlAttribute?: string
}

export interface RuleWiring {
  name: string
  arn: string
  pattern?: Record<string, unknown>
  schedule?: string
  targets: { arn: string; input?: string; deadLetterArn?: string }[]
}

export interface QueueWiring {
  name: string
  arn: string
  region: string
  visibilitySeconds: number
  delaySeconds: number
  waitSeconds: number
  retentionSeconds: number
  deadLetter?: { arn: string; maxReceives: number }
}

export interface EventSourceWiring {
  source: string
  function: string
  batchSize: number
  windowSeconds: number
  filters: Record<string, unknown>[]
  bisectOnError: boolean
  maximumRetries: number
  partialFailures: boolean
  parallelization: number
  maximumConcurrency?: number
  failureDestinationArn?: string
}
