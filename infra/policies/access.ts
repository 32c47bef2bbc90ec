import { arnOf, every, type Graph, nameOf, type Resource, text } from "../graph.ts"
import type { Policy } from "../policies.ts"
import { allStatements, roleStatements, type Statement, statementsOfArn } from "../statements.ts"
import { label } from "./names.ts"

export const access: Record<string, Policy> = {
  "no role may do everything, or anything to everything": (graph) =>
    allStatements(graph)
      .filter(({ effect, owner }) => effect === "Allow" && owner.type !== key)
      .flatMap((statement) => [
        ...statement.actions.filter((action) => action.includes("*")).map((action) => complaint(statement, action)),
        ...tooWide(statement).map((resource) => complaint(statement, `${statement.actions.join(", ")} on ${resource}`)),
      ]),

  "nobody is let in without a condition": (graph) => [
    ...allStatements(graph)
      .filter(({ effect, principal, condition }) => effect === "Allow" && principal === "*" && !condition)
      .map((statement) => complaint(statement, "open to everybody")),
    ...allStatements(graph)
      // To look at a key tells nothing of what it encrypts.
      .filter(({ actions }) => actions.some((action) => action !== "kms:DescribeKey"))
      .filter(({ owner, principal, condition }) => owner.type === key && isService(principal) && !condition)
      .map((statement) => complaint(statement, "open to a service on behalf of anybody")),
    ...every(graph, "lambda/permission:Permission")
      .filter(({ inputs }) => !inputs.sourceArn)
      .map((permission) => `${label(permission)}: open to every caller of ${permission.inputs.principal}`),
  ],

  "a role is passed to one named service only": (graph) =>
    roleStatements(graph)
      .filter(({ actions, condition }) => actions.includes("iam:PassRole") && !condition?.StringEquals?.["iam:PassedToService"])
      .map((statement) => complaint(statement, "iam:PassRole without iam:PassedToService")),

  "tasks are run and looked for in our clusters only": (graph) =>
    roleStatements(graph)
      .filter(({ condition }) => !condition?.ArnEquals?.["ecs:cluster"])
      .flatMap((statement) =>
        statement.actions
          .filter((action) => action === "ecs:RunTask" || action === "ecs:ListTasks")
          .map((action) => complaint(statement, `${action} without ecs:cluster`)),
      ),

  "a function may use what its environment names": (graph) =>
    every(graph, "lambda/function:Function").flatMap((fn) =>
      Object.entries(fn.inputs.environment?.variables ?? {}).flatMap(([variable, value]) =>
        namedBy(graph, value)
          .filter((arn) => !statementsOfArn(graph, fn.inputs.role).some(({ resources }) => resources.some(reaches(arn))))
          .map((arn) => `${label(fn)}: ${variable} names ${arn}, on which its role may do nothing`),
      ),
    ),

  "containers have no role of ours": (graph) =>
    every(graph, "iam/role:Role")
      .filter(({ inputs }) => JSON.stringify(inputs.assumeRolePolicy).includes("ecs-tasks.amazonaws.com"))
      .filter(({ name }) => name !== "task-execution")
      .map((role) => `${label(role)} can be taken on by a container`),
}

const key = "aws:kms/key:Key"

const complaint = ({ owner, sid }: Statement, what: string) => `${label(owner)} ${sid}: ${what}`

const isService = (principal: Statement["principal"]) => typeof principal === "object" && "Service" in principal

/** Actions for which AWS knows no resource to name. */
const withoutResource = new Set([
  "ecr:GetAuthorizationToken",
  "ecs:RegisterTaskDefinition",
  "ecs:ListTasks",
  "logs:CreateLogDelivery",
  "logs:GetLogDelivery",
  "logs:UpdateLogDelivery",
  "logs:DeleteLogDelivery",
  "logs:ListLogDeliveries",
  "logs:PutResourcePolicy",
  "logs:DescribeResourcePolicies",
  "logs:DescribeLogGroups",
])

/** Agents may name an image in any repository of the account, in whichever region it is. */
const pull = new Set([
  "ecr:BatchGetImage",
  "ecr:GetDownloadUrlForLayer",
  "ecr:BatchCheckLayerAvailability",
  "ecr:BatchImportUpstreamImage",
  "ecr:CreateRepository",
])

/** Resources of a statement that stand for more than the parts of one thing: `*`, or a wildcard before the end. */
const tooWide = ({ actions, resources }: Statement) =>
  resources.filter((resource) => {
    if (resource === "*") return !actions.every((action) => withoutResource.has(action))
    if (/^arn:aws:ecr:\*:\d+:repository\/\*$/.test(resource)) return !actions.every((action) => pull.has(action))
    return resource.slice(0, -1).includes("*") || /^arn:aws:\w+:[\w-]*:\d*:(\w+[:/])?\*$/.test(resource)
  })

/** What an environment variable can name, with the part of its state that stands there. */
const nameable = [
  { kind: "dynamodb/table:Table", by: nameOf },
  { kind: "s3/bucket:Bucket", by: (bucket: Resource<unknown>) => text(bucket, "bucket") },
  { kind: "kms/key:Key", by: arnOf },
  { kind: "cloudwatch/eventBus:EventBus", by: nameOf },
  { kind: "sqs/queue:Queue", by: (queue: Resource<unknown>) => text(queue, "url") },
  { kind: "sfn/stateMachine:StateMachine", by: arnOf },
] as const

const namedBy = (graph: Graph, value: string): string[] =>
  nameable.flatMap(({ kind, by }) =>
    every<(typeof nameable)[number]["kind"]>(graph, kind)
      .filter((resource) => by(resource) === value)
      .map(arnOf),
  )

const reaches = (arn: string) => (resource: string) => resource === arn || resource.startsWith(`${arn}/`)
