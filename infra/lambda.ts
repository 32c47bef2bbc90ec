import * as aws from "@pulumi/aws"
import { asset, ComponentResource, type Input, interpolate } from "@pulumi/pulumi"
import { type Urls, type Variable, valuesOf } from "./environment.ts"
import { needsOf } from "./functions.ts"
import { grantsFor } from "./grants.ts"
import type { Home } from "./home.ts"
import { createRole, type Statement } from "./iam.ts"
import type { Parts } from "./parts.ts"

/** One file of `functions/` as a Lambda with a role and a log group of its own. */
export class Lambda extends ComponentResource {
  readonly file: string
  readonly function: aws.lambda.Function
  /** Its role's policy, which what calls it on behalf of its role has to wait for. */
  readonly policy: aws.iam.RolePolicy

  constructor(file: string, parts: Parts, urls?: Urls) {
    const id = file.replace("/", "-")
    const name = `${parts.home.tenant}-${id}`
    super("dormouse:infra:Lambda", id)
    const needs = needsOf(file)
    const logGroup = createLogGroup(id, name, parts, this)
    const statements = [logsTo(logGroup), ...grantsFor(parts, needs.environment, { name: id, ...needs })]
    const { role, policy } = createRole(id, { name, service: "lambda.amazonaws.com", statements }, this)
    this.file = file
    this.policy = policy
    this.function = new aws.lambda.Function(
      id,
      {
        name,
        role: role.arn,
        runtime: "nodejs24.x",
        architectures: ["arm64"],
        code: new asset.FileArchive(`../dist/functions/${file}`),
        handler: "index.handler",
        timeout: needs.timeoutSeconds,
        memorySize: 512,
        reservedConcurrentExecutions: parts.home.reservedConcurrency[file] ?? -1,
        environment: { variables: pick(file, needs.environment, valuesOf(parts, urls)) },
        loggingConfig: { logGroup: logGroup.name, logFormat: "JSON", systemLogLevel: "WARN" },
      },
      { parent: this, dependsOn: [policy] },
    )
    this.registerOutputs()
  }
}

/** Lambdas by their file. */
export type Lambdas = Map<string, Lambda>

/** One Lambda per file. */
export const createLambdas = (files: string[], parts: Parts, urls?: Urls): Lambdas =>
  new Map(files.map((file) => [file, new Lambda(file, parts, urls)]))

/** The Lambda of this file, which the program cannot do without. */
export function lambda(lambdas: Lambdas, file: string): Lambda {
  const found = lambdas.get(file)
  if (!found) throw new Error(`The stack needs functions/${file}.ts, which is not there`)
  return found
}

/** Lets a service call the function for one of its own resources. */
export const permit = ({ file, function: fn }: Lambda, by: string, principal: string, sourceArn: Input<string>) =>
  new aws.lambda.Permission(`${file.replace("/", "-")}-${by}`, {
    action: "lambda:InvokeFunction",
    function: fn.name,
    principal,
    sourceArn,
  })

const createLogGroup = (id: string, name: string, { home, keys }: { home: Home; keys: Parts["keys"] }, parent: Lambda) =>
  new aws.cloudwatch.LogGroup(
    id,
    { name: `/aws/lambda/${name}`, retentionInDays: home.logRetentionDays, kmsKeyId: keys.data.arn },
    { parent },
  )

const logsTo = (logGroup: aws.cloudwatch.LogGroup): Statement => ({
  sid: "Logs",
  actions: ["logs:CreateLogStream", "logs:PutLogEvents"],
  resources: [interpolate`${logGroup.arn}:*`],
})

const pick = (file: string, wanted: Variable[], values: Partial<Record<Variable, Input<string>>>) =>
  Object.fromEntries(
    wanted.map((variable) => {
      const value = values[variable]
      if (value === undefined) throw new Error(`functions/${file}.ts asks for ${variable}, which is not known before it`)
      return [variable, value]
    }),
  )
