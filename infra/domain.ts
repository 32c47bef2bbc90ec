import * as aws from "@pulumi/aws"
import type { Domain } from "./settings.ts"

/** At the custom domain the API has the same paths as on one machine: `/api/v1/…`. The page about it at `/` is only there. */
export function createDomain({ name, certificateArn, hostedZoneId }: Domain, stage: aws.apigateway.Stage) {
  const domain = new aws.apigateway.DomainName("api", {
    domainName: name,
    regionalCertificateArn: certificateArn,
    endpointConfiguration: { types: "REGIONAL" },
    securityPolicy: "TLS_1_2",
  })
  new aws.apigateway.BasePathMapping("api", {
    domainName: domain.domainName,
    restApi: stage.restApi,
    stageName: stage.stageName,
    basePath: "api",
  })
  if (hostedZoneId) point(domain, hostedZoneId)
}

const point = (domain: aws.apigateway.DomainName, zoneId: string) =>
  new aws.route53.Record("api", {
    zoneId,
    name: domain.domainName,
    type: "A",
    aliases: [{ name: domain.regionalDomainName, zoneId: domain.regionalZoneId, evaluateTargetHealth: false }],
  })
