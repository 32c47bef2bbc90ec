import type * as aws from "@pulumi/aws"
import type { Unwrap } from "@pulumi/pulumi"

/** One resource as the program registered it. */
export interface Resource<Inputs = Record<string, unknown>> {
  urn: string
  /** Type token: `aws:lambda/function:Function`. */
  type: string
  name: string
  /** Something that AWS makes, as opposed to one of our components. */
  custom: boolean
  parent?: string
  /** Where it lives; nothing for what is global or no AWS resource. */
  region?: string
  inputs: Inputs
  /** Inputs and everything that AWS would add: ARN, id, name. */
  state: Record<string, unknown>
  dependencies: string[]
  propertyDependencies: Record<string, string[]>
  protect: boolean
}

/** An evaluated program. */
export interface Graph {
  region: string
  account: string
  resources: Resource[]
  outputs: Record<string, unknown>
}

/** The types that something reads out of a graph, with their inputs. */
interface Kinds {
  "apigateway/basePathMapping:BasePathMapping": aws.apigateway.BasePathMappingArgs
  "apigateway/deployment:Deployment": aws.apigateway.DeploymentArgs
  "apigateway/restApi:RestApi": aws.apigateway.RestApiArgs
  "apigateway/stage:Stage": aws.apigateway.StageArgs
  "cloudwatch/eventArchive:EventArchive": aws.cloudwatch.EventArchiveArgs
  "cloudwatch/eventBus:EventBus": aws.cloudwatch.EventBusArgs
  "cloudwatch/eventRule:EventRule": aws.cloudwatch.EventRuleArgs
  "cloudwatch/eventTarget:EventTarget": aws.cloudwatch.EventTargetArgs
  "cloudwatch/logGroup:LogGroup": aws.cloudwatch.LogGroupArgs
  "cloudwatch/metricAlarm:MetricAlarm": aws.cloudwatch.MetricAlarmArgs
  "dynamodb/table:Table": aws.dynamodb.TableArgs
  "ec2/routeTable:RouteTable": aws.ec2.RouteTableArgs
  "ec2/subnet:Subnet": aws.ec2.SubnetArgs
  "ec2/securityGroup:SecurityGroup": aws.ec2.SecurityGroupArgs
  "ecs/cluster:Cluster": aws.ecs.ClusterArgs
  "iam/role:Role": aws.iam.RoleArgs
  "iam/rolePolicy:RolePolicy": aws.iam.RolePolicyArgs
  "kms/key:Key": aws.kms.KeyArgs
  "lambda/eventSourceMapping:EventSourceMapping": aws.lambda.EventSourceMappingArgs
  "lambda/function:Function": aws.lambda.FunctionArgs
  "lambda/permission:Permission": aws.lambda.PermissionArgs
  "s3/bucket:Bucket": aws.s3.BucketArgs
  "s3/bucketCorsConfiguration:BucketCorsConfiguration": aws.s3.BucketCorsConfigurationArgs
  "s3/bucketPolicy:BucketPolicy": aws.s3.BucketPolicyArgs
  "s3/bucketPublicAccessBlock:BucketPublicAccessBlock": aws.s3.BucketPublicAccessBlockArgs
  "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": aws.s3.BucketServerSideEncryptionConfigurationArgs
  "scheduler/scheduleGroup:ScheduleGroup": aws.scheduler.ScheduleGroupArgs
  "sfn/stateMachine:StateMachine": aws.sfn.StateMachineArgs
  "sns/topic:Topic": aws.sns.TopicArgs
  "sqs/queue:Queue": aws.sqs.QueueArgs
  "sqs/queuePolicy:QueuePolicy": aws.sqs.QueuePolicyArgs
  "wafv2/webAcl:WebAcl": aws.wafv2.WebAclArgs
}

type Kind = keyof Kinds

/** A resource of one type, with the inputs that this type takes. */
export type Of<K extends Kind> = Resource<Unwrap<Kinds[K]>>

/** Every resource of a type. Inputs are what the type's arguments allow once every output has its value. */
export const every = <K extends Kind>(graph: Graph, kind: K): Of<K>[] =>
  graph.resources.filter(({ type }) => type === `aws:${kind}`) as Of<K>[]

/** The only resource of its type. */
export function only<K extends Kind>(graph: Graph, kind: K): Of<K> {
  const [first, ...rest] = every(graph, kind)
  if (!first || rest.length) throw new Error(`The stack should have one ${kind}, it has ${rest.length + (first ? 1 : 0)}`)
  return first
}

export const arnOf = (resource: Resource<unknown>) => text(resource, "arn")
export const nameOf = (resource: Resource<unknown>) => text(resource, "name")

/** A part of a resource's state that is text. */
export function text(resource: Resource<unknown>, property: string): string {
  const value = resource.state[property]
  if (typeof value !== "string") throw new Error(`${resource.type} ${resource.name} has no ${property}`)
  return value
}
