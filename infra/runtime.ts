import * as aws from "@pulumi/aws"
import { ComponentResource, jsonStringify, type Output } from "@pulumi/pulumi"
import type { Home } from "./home.ts"
import type { IsolatedNetwork } from "./isolated.ts"
import { createNetwork } from "./network.ts"
import { euRegion } from "./settings.ts"

/** What tasks need in one region: a cluster, a network and a place for logs. */
export class Runtime extends ComponentResource {
  readonly region: string
  readonly cluster: aws.ecs.Cluster
  readonly subnets: aws.ec2.Subnet[]
  readonly securityGroup: aws.ec2.SecurityGroup
  readonly logGroup: aws.cloudwatch.LogGroup

  constructor(home: Home, region: string, key?: aws.kms.Key) {
    const id = `runtime-${region}`
    const name = `${home.tenant}-task`
    super("dormouse:infra:Runtime", id)
    this.region = region
    this.cluster = createCluster(id, name, region, this)
    const { subnets, securityGroup } = createNetwork(id, name, region, this)
    this.subnets = subnets
    this.securityGroup = securityGroup
    this.logGroup = createLogGroup(id, home, region, key, this)
    this.registerOutputs()
  }
}

/** The label with which an agent asks for a region, and the runtime that it gets. */
export type Runtimes = Record<"any" | "eu", Runtime>

/** One runtime at home and one in the EU, which are the same where home is there. */
export function createRuntimes(home: Home, key: aws.kms.Key): Runtimes {
  const any = new Runtime(home, home.region, key)
  return { any, eu: home.region === euRegion ? any : new Runtime(home, euRegion) }
}

/** Each runtime once. */
export const distinct = (runtimes: Runtimes) => [...new Set(Object.values(runtimes))]

/** The `RUNTIMES` variable: by label, what RunTask has to be told. Tasks without internet access run at home, in their own network. */
export const describeRuntimes = ({ any, eu }: Runtimes, isolated?: IsolatedNetwork): Output<string> =>
  jsonStringify({
    any: { ...describe(any), assignPublicIp: true },
    eu: { ...describe(eu), assignPublicIp: true },
    ...(isolated && { isolated: { ...describe(any, isolated), assignPublicIp: false } }),
  })

type Network = Pick<Runtime, "subnets" | "securityGroup">

const describe = (runtime: Runtime, { subnets, securityGroup }: Network = runtime) => ({
  region: runtime.region,
  cluster: runtime.cluster.arn,
  subnets: subnets.map(({ id }) => id),
  securityGroup: securityGroup.id,
  logGroup: runtime.logGroup.name,
})

const createCluster = (id: string, name: string, region: string, parent: Runtime) =>
  new aws.ecs.Cluster(id, { region, name, settings: [{ name: "containerInsights", value: "disabled" }] }, { parent })

/** A key encrypts only in its own region, so away from home CloudWatch encrypts with its own. */
const createLogGroup = (id: string, home: Home, region: string, key: aws.kms.Key | undefined, parent: Runtime) =>
  new aws.cloudwatch.LogGroup(
    id,
    { region, name: `/${home.tenant}/task`, retentionInDays: home.logRetentionDays, kmsKeyId: key?.arn },
    { parent },
  )
