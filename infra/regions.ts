import { Region } from "@pulumi/aws"
import { hint } from "./nearest.ts"

/** Partitions of AWS with accounts, addresses and ARNs of their own: a stack names everything in the partition `aws`. */
const otherPartitions = /^(cn|eusc|us-gov|us-iso|eu-iso)/

/** AWS's regions as the provider that deploys a stack knows them. */
const regions = Object.values(Region).filter((region) => !otherPartitions.test(region))

/** Refuses a region that a stack cannot be in, which AWS would only do as an address that nobody finds. */
export function demandRegion(region: string) {
  if (regions.some((known) => known === region)) return
  if (otherPartitions.test(region))
    throw new Error(`The region ${region} is in another partition than aws, where no stack can be`)
  throw new Error(`There is no region ${region}: ${hint(region, regions)}`)
}
