import * as aws from "@pulumi/aws"
import type { Home } from "./home.ts"

/** Requests of one address in five minutes. */
const requestsPerAddress = 10_000

/** AWS's firewall before the API: what it knows to be hostile, and floods from one address. */
export function createFirewall(home: Home, stage: aws.apigateway.Stage) {
  const acl = new aws.wafv2.WebAcl("api", {
    name: `${home.tenant}-api`,
    scope: "REGIONAL",
    defaultAction: { allow: {} },
    visibilityConfig: visible(home, "api"),
    rules: [
      {
        name: "flood",
        priority: 0,
        action: { block: {} },
        statement: { rateBasedStatement: { limit: requestsPerAddress, aggregateKeyType: "IP" } },
        visibilityConfig: visible(home, "flood"),
      },
      ...["AWSManagedRulesAmazonIpReputationList", "AWSManagedRulesKnownBadInputsRuleSet"].map((name, index) => ({
        name,
        priority: index + 1,
        overrideAction: { none: {} },
        statement: { managedRuleGroupStatement: { vendorName: "AWS", name } },
        visibilityConfig: visible(home, name),
      })),
    ],
  })
  new aws.wafv2.WebAclAssociation("api", { resourceArn: stage.arn, webAclArn: acl.arn })
}

const visible = (home: Home, name: string) => ({
  cloudwatchMetricsEnabled: true,
  metricName: `${home.tenant}-${name}`,
  sampledRequestsEnabled: false,
})
