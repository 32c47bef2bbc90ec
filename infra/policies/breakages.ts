import type { Graph } from "../graph.ts"
import { body, definition, drop, edit, find, type Json, statement } from "./break.ts"

/** A fault put into a good stack: the policy that has to find it, what it is, and how it is done. */
type Breakage = [policy: string, what: string, breakIt: (graph: Graph) => void]

export const breakages: Breakage[] = [
  [
    "every input has a value that AWS could have given",
    "a name made of nothing",
    edit("Alias data", (key) => (key.name = "alias/undefined")),
  ],
  [
    "no two resources of a kind and region have the same name",
    "two rules",
    edit("EventRule ended", (rule) => (rule.name = "dormouse-sweep")),
  ],
  ["everything that can carry a tag says whose it is", "a table of nobody", edit("Table table", (it) => (it.tags = undefined))],
  [
    "everything that can carry a tag says whose it is",
    "another tenant's network",
    edit("Vpc runtime-us-east-1", (it) => (it.tags = { "dormouse:tenant": "other" })),
  ],
  ["every ARN names something in the stack", "a function gone", drop("Function lifecycle-settle")],
  [
    "every ARN names something in the stack",
    "the machine renamed",
    (graph) => (find(graph, "StateMachine task").state.arn = "arn:aws:states:us-east-1:000000000000:stateMachine:other"),
  ],

  [
    "no role may do everything, or anything to everything",
    "a whole service",
    statement("RolePolicy api-tasks", "Table", (it) => (it.Action = ["dynamodb:*"])),
  ],
  [
    "no role may do everything, or anything to everything",
    "every resource",
    statement("RolePolicy api-tasks", "Table", (it) => (it.Resource = ["*"])),
  ],
  [
    "no role may do everything, or anything to everything",
    "every table",
    statement("RolePolicy api-tasks", "Table", (it) => (it.Resource = ["arn:aws:dynamodb:us-east-1:000000000000:table/*"])),
  ],
  [
    "no role may do everything, or anything to everything",
    "any region",
    statement("RolePolicy lifecycle-run", "Tasks", (it) => (it.Resource = ["arn:aws:ecs:*:000000000000:task/dormouse-task/*"])),
  ],
  [
    "nobody is let in without a condition",
    "a public bucket",
    statement("BucketPolicy data", "OnlyOverTls", (it) => Object.assign(it, { Effect: "Allow", Condition: undefined })),
  ],
  [
    "nobody is let in without a condition",
    "a key for everybody's events",
    statement("Key data", "Events", (it) => (it.Condition = undefined)),
  ],
  [
    "nobody is let in without a condition",
    "a function for any API",
    edit("Permission api-tasks-api", (permission) => (permission.sourceArn = undefined)),
  ],
  [
    "a role is passed to one named service only",
    "to any",
    statement("RolePolicy lifecycle-run", "PassRole", (it) => (it.Condition = undefined)),
  ],
  [
    "tasks are run and looked for in our clusters only",
    "run in any",
    statement("RolePolicy lifecycle-run", "RunTask", (it) => (it.Condition = undefined)),
  ],
  [
    "tasks are run and looked for in our clusters only",
    "looked for in any",
    statement("RolePolicy lifecycle-settle", "ListTasks", (it) => (it.Condition = undefined)),
  ],
  [
    "a function may use what its environment names",
    "no grant on the table",
    statement("RolePolicy api-tasks", "Table", (it) => (it.Resource = [])),
  ],
  [
    "a function may use what its environment names",
    "another bus",
    edit("Function operate-operate", (fn) => ((fn.environment as { variables: Json }).variables.BUS_NAME = "dormouse-domain")),
  ],
  [
    "containers have no role of ours",
    "a role for tasks",
    edit("Role forward", (role) => (role.assumeRolePolicy = '{"Service":"ecs-tasks.amazonaws.com"}')),
  ],

  [
    "everything stored at home is encrypted with our key",
    "a table in the clear",
    edit("Table table", (table) => (table.serverSideEncryption = undefined)),
  ],
  [
    "everything stored at home is encrypted with our key",
    "a bucket in the clear",
    drop("BucketServerSideEncryptionConfiguration data"),
  ],
  [
    "everything stored at home is encrypted with our key",
    "a log in the clear",
    edit("LogGroup api-tasks", (group) => (group.kmsKeyId = undefined)),
  ],
  [
    "everything stored at home is encrypted with our key",
    "a bus in the clear",
    edit("EventBus domain", (bus) => (bus.kmsKeyIdentifier = undefined)),
  ],
  [
    "everything stored at home is encrypted with our key",
    "executions in the clear",
    edit("StateMachine task", (machine) => (machine.encryptionConfiguration = undefined)),
  ],
  ["our keys rotate", "one does not", edit("Key data", (key) => (key.enableKeyRotation = false))],
  [
    "the services that use a key may use it",
    "not the logs",
    statement("Key data", "Logs", (it) => (it.Principal = { Service: "logs.eu-west-1.amazonaws.com" })),
  ],
  ["the services that use a key may use it", "not the bus", statement("Key data", "Events", (it) => (it.Effect = "Deny"))],
  [
    "the services that use a key may use it",
    "not the log delivery",
    statement("Key data", "LogDelivery", (it) => (it.Effect = "Deny")),
  ],
  ["every log group forgets", "one does not", edit("LogGroup api", (group) => (group.retentionInDays = undefined))],
  [
    "every function writes to a log group of ours",
    "to one that Lambda makes",
    edit("Function api-tasks", (fn) => (fn.loggingConfig = undefined)),
  ],
  [
    "buckets are closed to the public and to plain HTTP",
    "public policies",
    edit("BucketPublicAccessBlock data", (block) => (block.blockPublicPolicy = false)),
  ],
  ["buckets are closed to the public and to plain HTTP", "plain HTTP", drop("BucketPolicy data")],
  [
    "tables and buckets cannot be lost by accident",
    "no way back in time",
    edit("Table table", (table) => (table.pointInTimeRecovery = undefined)),
  ],
  [
    "tables and buckets cannot be lost by accident",
    "a table that may be deleted",
    edit("Table table", (table) => (table.deletionProtectionEnabled = false)),
  ],
  [
    "tables and buckets cannot be lost by accident",
    "a bucket without protection",
    (graph) => (find(graph, "Bucket data").protect = false),
  ],

  [
    "every state machine is one that AWS takes",
    "a next state that is not there",
    definition((text) => text.replace('"Next":"Settle"', '"Next":"Gone"')),
  ],
  [
    "every state machine is one that AWS takes",
    "a broken expression",
    definition((text) => text.replace("$states.input", "$states.(input")),
  ],
  [
    "every state machine is one that AWS takes",
    "a hole",
    definition((text) => text.replace(/arn:aws:lambda[^"]+/, "${RunFunctionArn}")),
  ],
  [
    "a state machine may call the functions that it names, and no other",
    "one too few",
    statement("RolePolicy task", "Call", (it) => (it.Resource as string[]).pop()),
  ],
  [
    "a state machine may call the functions that it names, and no other",
    "one too many",
    statement("RolePolicy task", "Call", (it) =>
      (it.Resource as string[]).push("arn:aws:lambda:us-east-1:000000000000:function:x"),
    ),
  ],

  ["the gateway may call every function that a route names", "one is not permitted", drop("Permission api-tasks-api")],
  [
    "a streamed route calls its function so that it can stream",
    "a buffered call",
    body((text) => text.replace("response-streaming-invocations", "invocations")),
  ],
  [
    "the gateway waits as long as the function runs, and no longer than it can",
    "a function that outlives its route",
    edit("Function api-tasks", (fn) => (fn.timeout = 60)),
  ],
  [
    "the gateway waits as long as the function runs, and no longer than it can",
    "a function that ends before its stream",
    edit("Function gateway-models", (fn) => (fn.timeout = 29)),
  ],
  [
    "the gateway waits as long as the function runs, and no longer than it can",
    "longer than AWS lets it",
    body((text) => text.replaceAll("29000", "60000")),
  ],
  [
    "a function answers all its routes in the same way",
    "one route streams",
    body((text) => text.replace(/(function:dormouse-api-tasks\/invocations","responseTransferMode":)"BUFFERED"/, '$1"STREAM"')),
  ],
  [
    "the gateway itself answers in our envelope",
    "AWS's own words",
    body((text) => text.replaceAll('\\"error\\"', '\\"message\\"')),
  ],
  ["a changed API is deployed", "no trigger", edit("Deployment api", (deployment) => (deployment.triggers = undefined))],

  [
    "a private API is reached through one endpoint alone, and has no route of a customer",
    "any endpoint",
    edit("RestApi isolated", (api) => (api.body = String(api.body).replace("aws:SourceVpce", "aws:SourceIp"))),
  ],
  [
    "a private API is reached through one endpoint alone, and has no route of a customer",
    "a customer's route",
    edit("RestApi isolated", (api) => (api.body = String(api.body).replace("/agent/tasks/claim-next", "/v1/tasks"))),
  ],
  [
    "a network without internet has no way out",
    "a gateway",
    edit("RouteTable isolated", (table) => (table.routes = [{ cidrBlock: "0.0.0.0/0", gatewayId: "igw-1" }])),
  ],

  ["every rule leads somewhere, and its target takes it", "nowhere", drop("EventTarget sweep")],
  [
    "every rule leads somewhere, and its target takes it",
    "a function that does not take it",
    drop("Permission reactions-sweep-ended"),
  ],
  [
    "every rule leads somewhere, and its target takes it",
    "a bus that it may not reach",
    statement("RolePolicy forward", "Home", (it) => (it.Action = ["events:DescribeRule"])),
  ],
  ["every rule leads somewhere, and its target takes it", "a target of no rule", drop("EventRule sweep")],
  [
    "an event that could not be delivered is kept, and rings an alarm",
    "dropped",
    edit("EventTarget webhooks", (target) => (target.deadLetterConfig = undefined)),
  ],
  [
    "an event that could not be delivered is kept, and rings an alarm",
    "to a queue of another region",
    edit("EventTarget stopped-eu-central-1", (target) => (target.deadLetterConfig = { arn: queueAtHome })),
  ],
  [
    "an event that could not be delivered is kept, and rings an alarm",
    "to a queue that lets other rules in",
    edit("QueuePolicy undelivered", (it) => (it.policy = String(it.policy).replace(/rule\/[^"]+webhooks/, "rule/other"))),
  ],
  ["an event that could not be delivered is kept, and rings an alarm", "nobody watches", drop("MetricAlarm undelivered")],
  [
    "every alarm tells somebody, also that it is over",
    "an alarm for a topic of another region",
    edit(
      "MetricAlarm undelivered-eu-central-1",
      (alarm) => (alarm.okActions = ["arn:aws:sns:us-east-1:000000000000:dormouse-alarms"]),
    ),
  ],
  [
    "everything stored at home is encrypted with our key",
    "undelivered events in the clear",
    edit("Queue undelivered-eu-central-1", (queue) => (queue.sqsManagedSseEnabled = undefined)),
  ],
  [
    "a function may read the stream or queue that it is called for, and keep what failed of a stream",
    "no reading",
    statement("RolePolicy reactions-publish", "Stream", (it) => (it.Action = ["dynamodb:GetRecords"])),
  ],
  [
    "a function may read the stream or queue that it is called for, and keep what failed of a stream",
    "no keeping",
    statement("RolePolicy reactions-publish", "Objects", (it) => (it.Action = ["s3:GetObject"])),
  ],

  [
    "every alarm tells somebody, also that it is over",
    "an alarm for nobody",
    edit("MetricAlarm api-errors", (alarm) => (alarm.alarmActions = [])),
  ],
  ["what a stream's consumer gives up rings an alarm", "nobody watches", drop("MetricAlarm stream-lost")],
  [
    "what a stream's consumer gives up rings an alarm",
    "nobody counts",
    edit("EventSourceMapping publish", (source) => (source.metricsConfig = undefined)),
  ],
  ["executions that end badly ring an alarm", "aborted ones", drop("MetricAlarm executions-aborted")],
  [
    "everything stored at home is encrypted with our key",
    "a topic in the clear",
    edit("Topic alarms", (topic) => (topic.kmsMasterKeyId = undefined)),
  ],

  [
    "a function may read the stream or queue that it is called for, and keep what failed of a stream",
    "no receiving",
    statement("RolePolicy reactions-fanout", "Receive", (it) => (it.Action = ["sqs:DeleteMessage"])),
  ],
  [
    "every rule leads somewhere, and its target takes it",
    "a queue that lets another rule in",
    edit("QueuePolicy events", (it) => (it.policy = String(it.policy).replace(/rule\/[^"]+/, "rule/other"))),
  ],
  [
    "what nobody can process leaves its queue, and rings an alarm",
    "no dead-letter queue",
    edit("Queue deliveries", (queue) => (queue.redrivePolicy = undefined)),
  ],
  ["what nobody can process leaves its queue, and rings an alarm", "no alarm", drop("MetricAlarm deliveries-dead")],
  [
    "a message stays out of sight for six times as long as its function may run",
    "the default",
    edit("Queue events", (queue) => (queue.visibilityTimeoutSeconds = 30)),
  ],

  [
    "what runs EU tasks is in the EU",
    "a cluster elsewhere",
    (graph) => (find(graph, "Cluster runtime-eu-central-1").region = "us-west-2"),
  ],
  [
    "what runs EU tasks is in the EU",
    "a subnet elsewhere",
    (graph) => (find(graph, "Subnet runtime-eu-central-1-a").region = "us-east-1"),
  ],
  [
    "with a home in the EU, everything is in the EU",
    "all but what runs EU tasks in Virginia",
    (graph) => (graph.region = "eu-west-1"),
  ],
  [
    "with a home in the EU, everything is in the EU",
    "a queue in London",
    (graph) => {
      graph.region = "eu-central-1"
      graph.resources = graph.resources.filter(({ region }) => region === "eu-central-1")
      find(graph, "Queue undelivered-eu-central-1").region = "eu-west-2"
    },
  ],
  [
    "what is in the EU names nothing outside, but the bus at home",
    "logs with a key at home",
    edit("LogGroup runtime-eu-central-1", (group) => (group.kmsKeyId = "arn:aws:kms:us-east-1:000000000000:key/data")),
  ],
]

const queueAtHome = "arn:aws:sqs:us-east-1:000000000000:dormouse-undelivered"
