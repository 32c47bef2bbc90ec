import * as aws from "@pulumi/aws"
import { ComponentResource, type Input, interpolate, jsonStringify } from "@pulumi/pulumi"
import type { Home } from "./home.ts"
import { createSubnets } from "./network.ts"

const cidrBlock = "10.61.0.0/16"

/** The services of AWS that a task cannot do without: our private API, its image, its log. S3 has a way of its own, for nothing. */
const services = ["execute-api", "ecr.api", "ecr.dkr", "logs"]

/**
 * A network that leads nowhere: no gateway, no address of its own for a task, and names outside this list are not even looked up.
 * What a task needs of AWS is reached through endpoints, which cost money while they are idle.
 */
export class IsolatedNetwork extends ComponentResource {
  readonly subnets: aws.ec2.Subnet[]
  readonly securityGroup: aws.ec2.SecurityGroup
  /** The way to the private API. */
  readonly endpoint: aws.ec2.VpcEndpoint

  constructor(home: Home, bucket: aws.s3.Bucket) {
    super("dormouse:infra:IsolatedNetwork", "isolated")
    const tags = { Name: `${home.tenant}-isolated` }
    const vpc = new aws.ec2.Vpc(
      "isolated",
      { tags, cidrBlock, enableDnsHostnames: true, enableDnsSupport: true },
      { parent: this },
    )
    const routeTable = new aws.ec2.RouteTable("isolated", { tags, vpcId: vpc.id, routes: [] }, { parent: this })
    this.subnets = createSubnets("isolated", { region: home.region, tags, vpc, routeTable, block: "10.61" }, this)
    const doors = createDoors(home, vpc, this)
    const s3 = createS3Endpoint(home, vpc, routeTable, bucket, this)
    this.securityGroup = createTaskGroup(home, vpc, doors, s3, this)
    const endpoints = services.map((service) => this.#endpoint(home, service, vpc, doors))
    this.endpoint = endpoints[0]!
    blockNames(home, vpc, this)
    this.registerOutputs()
  }

  #endpoint(home: Home, service: string, vpc: aws.ec2.Vpc, doors: aws.ec2.SecurityGroup) {
    return new aws.ec2.VpcEndpoint(
      `isolated-${service.replace(".", "-")}`,
      {
        vpcId: vpc.id,
        serviceName: `com.amazonaws.${home.region}.${service}`,
        vpcEndpointType: "Interface",
        privateDnsEnabled: true,
        subnetIds: this.subnets.map(({ id }) => id),
        securityGroupIds: [doors.id],
      },
      { parent: this },
    )
  }
}

/** The endpoints let in whatever is in the network. */
const createDoors = (home: Home, vpc: aws.ec2.Vpc, parent: IsolatedNetwork) =>
  new aws.ec2.SecurityGroup(
    "isolated-endpoints",
    {
      name: `${home.tenant}-isolated-endpoints`,
      vpcId: vpc.id,
      description: "Endpoints: HTTPS from the isolated network",
      ingress: [{ description: "HTTPS", protocol: "tcp", fromPort: 443, toPort: 443, cidrBlocks: [cidrBlock] }],
      egress: [],
    },
    { parent },
  )

/** Presigned addresses of our bucket, and the layers of images, which ECR keeps in a bucket of AWS's own. Nobody else's bucket. */
const createS3Endpoint = (
  home: Home,
  vpc: aws.ec2.Vpc,
  routeTable: aws.ec2.RouteTable,
  bucket: aws.s3.Bucket,
  parent: IsolatedNetwork,
) =>
  new aws.ec2.VpcEndpoint(
    "isolated-s3",
    {
      vpcId: vpc.id,
      serviceName: `com.amazonaws.${home.region}.s3`,
      vpcEndpointType: "Gateway",
      routeTableIds: [routeTable.id],
      policy: jsonStringify({
        Version: "2012-10-17",
        Statement: [
          allow(["s3:GetObject", "s3:PutObject"], interpolate`${bucket.arn}/*`),
          allow(["s3:GetObject"], `arn:aws:s3:::prod-${home.region}-starport-layer-bucket/*`),
        ],
      }),
    },
    { parent },
  )

const allow = (actions: string[], resource: Input<string>) => ({
  Effect: "Allow",
  Principal: "*",
  Action: actions,
  Resource: resource,
})

const createTaskGroup = (
  home: Home,
  vpc: aws.ec2.Vpc,
  doors: aws.ec2.SecurityGroup,
  s3: aws.ec2.VpcEndpoint,
  parent: IsolatedNetwork,
) =>
  new aws.ec2.SecurityGroup(
    "isolated",
    {
      name: `${home.tenant}-isolated`,
      vpcId: vpc.id,
      description: "Isolated tasks: to the endpoints and to S3, and nowhere else",
      ingress: [],
      egress: [
        { description: "Endpoints", protocol: "tcp", fromPort: 443, toPort: 443, securityGroups: [doors.id] },
        { description: "S3", protocol: "tcp", fromPort: 443, toPort: 443, prefixListIds: [s3.prefixListId] },
      ],
    },
    { parent },
  )

/** A name that is looked up leaves the network with whatever is written into it, so only names of the services themselves are. */
function blockNames(home: Home, vpc: aws.ec2.Vpc, parent: IsolatedNetwork) {
  const hosts = ["execute-api", "api.ecr", "dkr.ecr", "logs", "s3"].map((host) => `${host}.${home.region}.amazonaws.com`)
  const group = new aws.route53.ResolverFirewallRuleGroup("isolated", { name: `${home.tenant}-isolated` }, { parent })
  const rules = [
    { id: "known", domains: hosts.flatMap((host) => [host, `*.${host}`]), action: "ALLOW" },
    { id: "unknown", domains: ["*"], action: "BLOCK", blockResponse: "NXDOMAIN" },
  ]
  for (const [index, { id, domains, ...what }] of rules.entries()) {
    const name = `${home.tenant}-isolated-${id}`
    const list = new aws.route53.ResolverFirewallDomainList(`isolated-${id}`, { name, domains }, { parent })
    new aws.route53.ResolverFirewallRule(
      `isolated-${id}`,
      {
        name,
        firewallRuleGroupId: group.id,
        firewallDomainListId: list.id,
        // Where a known name leads is not asked again.
        firewallDomainRedirectionAction: "TRUST_REDIRECTION_DOMAIN",
        priority: (index + 1) * 100,
        ...what,
      },
      { parent },
    )
  }
  new aws.route53.ResolverFirewallRuleGroupAssociation(
    "isolated",
    { name: `${home.tenant}-isolated`, firewallRuleGroupId: group.id, vpcId: vpc.id, priority: 101 },
    { parent },
  )
}
