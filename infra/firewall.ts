import * as aws from "@pulumi/aws"
import type { Home } from "./home.ts"
import { stage } from "./routes.ts"

/** Requests of one address in five minutes. */
const requestsPerAddress = 10_000

/**
 * What does not come from a container. An agent that works on security sends what looks hostile, as log lines and to its model, from an
 * address that may have had a bad tenant before.
 */
const notOfContainers = {
  notStatement: {
    statement: {
      byteMatchStatement: {
        fieldToMatch: { uriPath: {} },
        positionalConstraint: "STARTS_WITH",
        searchString: `/${stage}/agent/`,
        textTransformations: [{ priority: 0, type: "NONE" }],
      },
    },
  },
}

/** AWS's firewall before the API: what it knows to be hostile, and floods from one address. */
export function createFirewall(home: Home, live: aws.apigateway.Stage) {
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
        statement: { managedRuleGroupStatement: { vendorName: "AWS", name, scopeDownStatement: notOfContainers } },
        visibilityConfig: visible(home, name),
      })),
    ],
  })
  new aws.wafv2.WebAclAssociation("api", { resourceArn: live.arn, webAclArn: acl.arn })
}

const visible = (home: Home, name: string) => ({
  cloudwatchMetricsEnabled: true,
  metricName: `${home.tenant}-${name}`,
  sampledRequestsEnabled: false,
})
