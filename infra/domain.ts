import * as aws from "@pulumi/aws"
import type { Resource } from "@pulumi/pulumi"
import type { Domain } from "./settings.ts"

/** Below the custom domain the API has the same paths as on one machine: `/api/v1/…`, and its reference page at `/`. */
export function createDomain({ name, certificateArn, hostedZoneId }: Domain, stage: aws.apigateway.Stage, parent: Resource) {
  const domain = new aws.apigateway.DomainName(
    "api",
    {
      domainName: name,
      regionalCertificateArn: certificateArn,
      endpointConfiguration: { types: "REGIONAL" },
      securityPolicy: "TLS_1_2",
    },
    { parent },
  )
  const mapped = { domainName: domain.domainName, restApi: stage.restApi, stageName: stage.stageName }
  new aws.apigateway.BasePathMapping("api", { ...mapped, basePath: "api" }, { parent })
  new aws.apigateway.BasePathMapping("root", mapped, { parent })
  if (hostedZoneId) point(domain, hostedZoneId, parent)
}

const point = (domain: aws.apigateway.DomainName, zoneId: string, parent: Resource) =>
  new aws.route53.Record(
    "api",
    {
      zoneId,
      name: domain.domainName,
      type: "A",
      aliases: [{ name: domain.regionalDomainName, zoneId: domain.regionalZoneId, evaluateTargetHealth: false }],
    },
    { parent },
  )
