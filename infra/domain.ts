import * as aws from "@pulumi/aws"
import type { Domain } from "./settings.ts"

/** Below the custom domain the API has the same paths as on one machine: `/api/v1/…`, and its reference page at `/`. */
export function createDomain({ name, certificateArn, hostedZoneId }: Domain, stage: aws.apigateway.Stage) {
  const domain = new aws.apigateway.DomainName("api", {
    domainName: name,
    regionalCertificateArn: certificateArn,
    endpointConfiguration: { types: "REGIONAL" },
    securityPolicy: "TLS_1_2",
  })
  const mapped = { domainName: domain.domainName, restApi: stage.restApi, stageName: stage.stageName }
  new aws.apigateway.BasePathMapping("api", { ...mapped, basePath: "api" })
  new aws.apigateway.BasePathMapping("root", mapped)
  if (hostedZoneId) point(domain, hostedZoneId)
}

const point = (domain: aws.apigateway.DomainName, zoneId: string) =>
  new aws.route53.Record("api", {
    zoneId,
    name: domain.domainName,
    type: "A",
    aliases: [{ name: domain.regionalDomainName, zoneId: domain.regionalZoneId, evaluateTargetHealth: false }],
  })
