import { type Breakage, body, drop, edit, statement } from "./break.ts"

/** Of what comes in and goes on: the API and its networks, events, queues and alarms. */
export const breakagesOfTraffic: Breakage[] = [
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

  [
    "the firewall does not read what containers send",
    "all that comes",
    edit("WebAcl api", (acl) => (acl.rules = JSON.parse(JSON.stringify(acl.rules).replaceAll("scopeDownStatement", "none")))),
  ],
  [
    "the firewall does not read what containers send",
    "another stage's",
    edit("WebAcl api", (acl) => (acl.rules = JSON.parse(JSON.stringify(acl.rules).replaceAll("/api/agent/", "/prod/agent/")))),
  ],
  [
    "tasks are started in zones that have Fargate, two in each network",
    "one that has not",
    edit("Subnet isolated-a", (subnet) => (subnet.availabilityZone = "us-east-1a")),
  ],
  [
    "tasks are started in zones that have Fargate, two in each network",
    "both in one",
    edit("Subnet runtime-us-east-1-b", (subnet) => (subnet.availabilityZone = "us-east-1b")),
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
  [
    "an event that could not be delivered is kept, and rings an alarm",
    "dropped by the bus",
    edit("EventBus domain", (bus) => (bus.deadLetterConfig = undefined)),
  ],
  [
    "an event that could not be delivered is kept, and rings an alarm",
    "to a queue that does not let the bus in",
    edit("QueuePolicy undelivered", (it) => (it.policy = String(it.policy).replace(/event-bus\/[^"]+/, "event-bus/other"))),
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
]

const queueAtHome = "arn:aws:sqs:us-east-1:000000000000:dormouse-undelivered"
