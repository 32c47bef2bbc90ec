/**
 * What the embedded AWS has to know of a stack. `infra/wiring.ts` derives it from the evaluated Pulumi program and writes it to
 * `infra/wiring.json`; nothing of it is written by hand.
 *
 * Values may hold these placeholders, which the embedded AWS fills in when it starts: `{{API_URL}}` (origin of the API with the
 * stage, `http://localhost:3000/api`) and `{{ANTHROPIC_BASE_URL}}`, `{{OPENAI_BASE_URL}}`, `{{OPENROUTER_BASE_URL}}` (from its own
 * environment, empty where unset).
 */
export interface Wiring {
  /** Home region and account number of the stack. */
  region: string
  account: string
  /** By function name. */
  functions: Record<string, FunctionWiring>
  /** By role ARN: what it allows. */
  roles: Record<string, Statement[]>
  api: ApiWiring
  tables: TableWiring[]
  buckets: { name: string; arn: string; corsRules: CorsRule[] }[]
  keys: { arn: string; region: string; usage: "ENCRYPT_DECRYPT" | "GENERATE_VERIFY_MAC" }[]
  /** By bus ARN; the `default` bus of a region is there once a rule names it. */
  buses: Record<string, { name: string; region: string; rules: RuleWiring[] }>
  queues: QueueWiring[]
  eventSources: EventSourceWiring[]
  /** Groups of EventBridge Scheduler; `default` is always there. */
  scheduleGroups: string[]
  /** By state machine ARN. */
  stateMachines: Record<string, { name: string; role: string; definition: object }>
  clusters: { name: string; arn: string; region: string }[]
}

/** What pages of other origins may do with a bucket. */
export interface CorsRule {
  allowedOrigins: string[]
  allowedMethods: string[]
  allowedHeaders?: string[]
  exposeHeaders?: string[]
  maxAgeSeconds?: number
}

export interface FunctionWiring {
  arn: string
  /** Folder of the bundle below `dist/`, as the Lambda's zip holds it: `functions/api/tasks`. */
  bundle: string
  /** `file.export`, as Lambda takes it: `index.handler`. */
  handler: string
  environment: Record<string, string>
  timeoutSeconds: number
  memoryMb: number
  role: string
}

export interface Statement {
  effect: "Allow" | "Deny"
  actions: string[]
  resources: string[]
  condition?: Record<string, Record<string, string | string[]>>
}

export interface ApiWiring {
  id: string
  /** First segment of every URL, before the paths below: `api`. */
  stage: string
  routes: { method: string; path: string; function: string; streaming: boolean; timeoutSeconds: number }[]
  /** By response type (`MISSING_AUTHENTICATION_TOKEN`, `DEFAULT_4XX` …): what the gateway answers by itself. */
  gatewayResponses: Record<string, { status?: number; headers: Record<string, string>; body: string }>
  /** Content types that reach a function as base64. */
  binaryMediaTypes: string[]
}

export interface TableWiring {
  name: string
  arn: string
  streamArn?: string
  /** Input of CreateTable. */
  create: Record<string, unknown>
  /** Attribute that holds the time to live, in seconds since the epoch. */
  ttlAttribute?: string
}

export interface RuleWiring {
  name: string
  arn: string
  pattern?: Record<string, unknown>
  /** `rate(5 minutes)` */
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
  /** Where a message goes that was received so often and never deleted. */
  deadLetter?: { arn: string; maxReceives: number }
}

export interface EventSourceWiring {
  /** ARN of a table's stream or of a queue. */
  source: string
  function: string
  batchSize: number
  windowSeconds: number
  /** Event patterns over the stream record, any of which is enough. */
  filters: Record<string, unknown>[]
  bisectOnError: boolean
  maximumRetries: number
  partialFailures: boolean
  parallelization: number
  /** Of a queue: how many batches are under way at most. */
  maximumConcurrency?: number
  /** Where a batch that cannot be processed ends. */
  failureDestinationArn?: string
}
