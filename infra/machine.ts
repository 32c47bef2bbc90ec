import * as aws from "@pulumi/aws"
import { all, ComponentResource, interpolate, type Output } from "@pulumi/pulumi"
import { createRole, type Statement } from "./iam.ts"
import { logDelivery } from "./implied.ts"
import { type Lambda, type Lambdas, lambda } from "./lambda.ts"
import type { Parts } from "./parts.ts"

/** The state machine that runs tasks. It may call the functions that its definition names, and no other. */
export class Machine extends ComponentResource {
  readonly arn: Output<string>

  constructor(parts: Parts, definition: string, lambdas: Lambdas) {
    super("dormouse:infra:Machine", "task")
    const { home, keys } = parts
    const functions = functionsNamedBy(definition, lambdas)
    const logGroup = createLogGroup(parts, this)
    const { role, policy } = createRole(
      "task",
      { name: `${home.tenant}-task`, service: "states.amazonaws.com", statements: statementsFor(parts, functions) },
      this,
    )
    const machine = new aws.sfn.StateMachine(
      "task",
      {
        name: `${home.tenant}-task`,
        type: "STANDARD",
        roleArn: role.arn,
        definition: fill(definition, functions),
        loggingConfiguration: { level: "ERROR", includeExecutionData: false, logDestination: interpolate`${logGroup.arn}:*` },
        encryptionConfiguration: {
          type: "CUSTOMER_MANAGED_KMS_KEY",
          kmsKeyId: keys.data.arn,
          kmsDataKeyReusePeriodSeconds: 900,
        },
      },
      { parent: this, dependsOn: [policy] },
    )
    this.arn = machine.arn
    this.registerOutputs()
  }
}

/** `${RunFunctionArn}` is the function of the state `Run`, which is `functions/lifecycle/run.ts`. */
const hole = /\$\{(\w+?)FunctionArn\}/g

/** By hole, the Lambda that fills it. */
const functionsNamedBy = (definition: string, lambdas: Lambdas): Map<string, Lambda> =>
  new Map([...definition.matchAll(hole)].map(([text, state = ""]) => [text, lambda(lambdas, `lifecycle/${fileName(state)}`)]))

/** `AwaitInput` is `await-input`. */
const fileName = (state: string) => state.replace(/(?<=[a-z0-9])[A-Z]/g, "-$&").toLowerCase()

const fill = (definition: string, functions: Map<string, Lambda>): Output<string> => {
  const holes = [...functions.keys()]
  return all([...functions.values()].map(({ function: fn }) => fn.arn)).apply((arns) =>
    holes.reduce((text, name, index) => text.replaceAll(name, arns[index] ?? name), definition),
  )
}

const statementsFor = ({ keys }: Parts, functions: Map<string, Lambda>): Statement[] => [
  {
    sid: "Call",
    actions: ["lambda:InvokeFunction"],
    resources: [...functions.values()].map(({ function: fn }) => fn.arn),
  },
  { sid: "DataKey", actions: ["kms:Decrypt", "kms:GenerateDataKey"], resources: [keys.data.arn] },
  // The actions around log deliveries take no resource.
  {
    sid: "Logs",
    actions: logDelivery,
    resources: ["*"],
  },
]

/** Log groups below `/aws/vendedlogs/` share one resource policy, which AWS lets grow no longer than 5,120 characters. */
const createLogGroup = ({ home, keys }: Parts, parent: Machine) =>
  new aws.cloudwatch.LogGroup(
    "task",
    { name: `/aws/vendedlogs/states/${home.tenant}-task`, retentionInDays: home.logRetentionDays, kmsKeyId: keys.data.arn },
    { parent },
  )
