import { type Breakage, definition, drop, edit, find, type Json, statement } from "./break.ts"
import { breakagesOfTraffic } from "./breakages-of-traffic.ts"

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
    "not to re-encrypt for the archive",
    statement("Key data", "Events", (it) => (it.Action = ["kms:Decrypt", "kms:GenerateDataKey"])),
  ],
  [
    "the services that use a key may use it",
    "an archive that has to name its source",
    statement("Key data", "Events", (it) => (it.Condition = { StringEquals: { "aws:SourceAccount": "000000000000" } })),
  ],
  [
    "the services that use a key may use it",
    "a look with a source",
    statement("Key data", "EventsLook", (it) => (it.Condition = { StringEquals: { "aws:SourceAccount": "000000000000" } })),
  ],
  [
    "the services that use a key may use it",
    "not what goes to queues",
    statement("Key data", "EventsToQueues", (it) => (it.Effect = "Deny")),
  ],
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

  ...breakagesOfTraffic,

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
