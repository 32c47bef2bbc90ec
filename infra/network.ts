import * as aws from "@pulumi/aws"
import type { Resource } from "@pulumi/pulumi"

/**
 * Zones in which no container of ours can be started, by the ids that are the same for every account. The first has no arm64:
 * https://docs.aws.amazon.com/AmazonECS/latest/developerguide/AWS_Fargate-Regions.html and ecs-arm64.html
 */
export const withoutFargate = ["use1-az3", "usw1-az2", "apne1-az3"]

const everywhere = "0.0.0.0/0"
const cidrBlock = "10.60.0.0/16"

/** What a task may reach: the web, package sources over plain HTTP, git over SSH, and name servers. Nobody reaches a task. */
const ports = [
  { description: "HTTPS", protocol: "tcp", port: 443 },
  { description: "HTTP", protocol: "tcp", port: 80 },
  { description: "SSH", protocol: "tcp", port: 22 },
  { description: "DNS", protocol: "udp", port: 53 },
  { description: "DNS over TCP", protocol: "tcp", port: 53 },
]

/** A network of its own for a region's tasks: public subnets in two zones, way out, no way in. */
export function createNetwork(id: string, name: string, region: string, parent: Resource) {
  const named = { region, tags: { Name: name } }
  const vpc = new aws.ec2.Vpc(id, { ...named, cidrBlock, enableDnsHostnames: true }, { parent })
  const gateway = new aws.ec2.InternetGateway(id, { ...named, vpcId: vpc.id }, { parent })
  const routes = [{ cidrBlock: everywhere, gatewayId: gateway.id }]
  const routeTable = new aws.ec2.RouteTable(id, { ...named, vpcId: vpc.id, routes }, { parent })
  const subnets = createSubnets(id, { ...named, vpc, routeTable, block: "10.60" }, parent)
  const securityGroup = new aws.ec2.SecurityGroup(
    id,
    { ...named, name, vpcId: vpc.id, description: "Tasks: way out, no way in", ingress: [], egress: ports.map(wayOut) },
    { parent },
  )
  return { subnets, securityGroup }
}

interface SubnetArgs {
  region: string
  tags: { Name: string }
  vpc: aws.ec2.Vpc
  routeTable: aws.ec2.RouteTable
  /** The first two numbers of the network's addresses. */
  block: string
}

/** A subnet in each of two zones. */
export const createSubnets = (id: string, args: SubnetArgs, parent: Resource) =>
  ["a", "b"].map((letter, index) => createSubnet(`${id}-${letter}`, index, args, parent))

function createSubnet(id: string, index: number, { region, tags, vpc, routeTable, block }: SubnetArgs, parent: Resource) {
  const subnet = new aws.ec2.Subnet(
    id,
    { region, tags, vpcId: vpc.id, cidrBlock: `${block}.${index * 64}.0/18`, availabilityZone: zone(region, index) },
    { parent },
  )
  new aws.ec2.RouteTableAssociation(id, { region, subnetId: subnet.id, routeTableId: routeTable.id }, { parent })
  return subnet
}

/** Regions differ in the letters of their zones, accounts in what a letter means, and some zones have to be asked for. */
const zone = (region: string, index: number) =>
  aws
    .getAvailabilityZonesOutput({
      region,
      state: "available",
      filters: [{ name: "opt-in-status", values: ["opt-in-not-required"] }],
      excludeZoneIds: withoutFargate,
    })
    .names.apply((names) => {
      const name = names[index]
      if (!name) throw new Error(`Region ${region} has fewer than ${index + 1} zones with Fargate for this account`)
      return name
    })

const wayOut = ({ description, protocol, port }: (typeof ports)[number]) => ({
  description,
  protocol,
  fromPort: port,
  toPort: port,
  cidrBlocks: [everywhere],
})
