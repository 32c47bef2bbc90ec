import * as aws from "@pulumi/aws"
import { interpolate, jsonStringify } from "@pulumi/pulumi"
import type { Home } from "./home.ts"

/** Carries everything that happens to tasks, for us and for whatever the tenant wires to it. */
export function createBus(home: Home, key: aws.kms.Key, undelivered: aws.sqs.Queue) {
  const bus = new aws.cloudwatch.EventBus("domain", {
    name: `${home.tenant}-domain`,
    kmsKeyIdentifier: key.arn,
    // What it cannot encrypt or read again has not come to any rule yet.
    deadLetterConfig: { arn: undelivered.arn },
  })
  if (home.eventArchiveDays > 0) keep(home, bus, key)
  if (home.subscriberAccounts.length > 0) letSubscribe(home, bus)
  return bus
}

/** What can be replayed to the bus, or to single rules of it. */
const keep = (home: Home, bus: aws.cloudwatch.EventBus, key: aws.kms.Key) =>
  new aws.cloudwatch.EventArchive("domain", {
    name: `${home.tenant}-domain`,
    eventSourceArn: bus.arn,
    retentionDays: home.eventArchiveDays,
    kmsKeyIdentifier: key.arn,
  })

/** Other accounts may put rules on the bus and see and change those that they have put, and no others. */
const letSubscribe = (home: Home, bus: aws.cloudwatch.EventBus) =>
  new aws.cloudwatch.EventBusPolicy("domain", {
    eventBusName: bus.name,
    policy: jsonStringify({
      Version: "2012-10-17",
      Statement: [
        {
          Sid: "Subscribe",
          Effect: "Allow",
          Principal: { AWS: home.subscriberAccounts.map((account) => `arn:aws:iam::${account}:root`) },
          Action: [
            "events:PutRule",
            "events:DeleteRule",
            "events:DescribeRule",
            "events:DisableRule",
            "events:EnableRule",
            "events:PutTargets",
            "events:RemoveTargets",
            "events:ListTargetsByRule",
          ],
          Resource: interpolate`arn:aws:events:${home.region}:${home.account}:rule/${bus.name}/*`,
          Condition: {
            StringEqualsIfExists: { "events:creatorAccount": "${aws:PrincipalAccount}" },
          },
        },
      ],
    }),
  })
