import * as aws from "@pulumi/aws"
import { jsonStringify } from "@pulumi/pulumi"
import type { Home } from "./home.ts"

/** The key that everything stored is encrypted with, and the one that proves a claim token to be ours. */
export function createKeys(home: Home) {
  const data = new aws.kms.Key("data", {
    description: `${home.tenant}: everything stored`,
    enableKeyRotation: true,
    policy: keyPolicy(home, [useByLogs(home), useByLogDelivery(home), ...useByEvents(home), useByAlarms(home)]),
  })
  const mac = new aws.kms.Key("mac", {
    description: `${home.tenant}: claim tokens and cursors`,
    keyUsage: "GENERATE_VERIFY_MAC",
    customerMasterKeySpec: "HMAC_256",
    policy: keyPolicy(home, []),
  })
  new aws.kms.Alias("data", { name: `alias/${home.tenant}-data`, targetKeyId: data.keyId })
  new aws.kms.Alias("mac", { name: `alias/${home.tenant}-mac`, targetKeyId: mac.keyId })
  return { data, mac }
}

/** In a key's own policy `*` means this key. The account administers it; who else uses it says so in a role. */
const keyPolicy = (home: Home, services: object[]) =>
  jsonStringify({
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "Account",
        Effect: "Allow",
        Principal: { AWS: home.account.apply((account) => `arn:aws:iam::${account}:root`) },
        Action: "kms:*",
        Resource: "*",
      },
      ...services,
    ],
  })

/** Without this a log group that names the key cannot be made. */
const useByLogs = ({ region, account }: Home) => ({
  Sid: "Logs",
  Effect: "Allow",
  Principal: { Service: `logs.${region}.amazonaws.com` },
  Action: ["kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey", "kms:DescribeKey"],
  Resource: "*",
  Condition: {
    ArnLike: { "kms:EncryptionContext:aws:logs:arn": account.apply((id) => `arn:aws:logs:${region}:${id}:log-group:*`) },
  },
})

/** Step Functions hands what it logs of an encrypted machine to the log delivery service, which has to read it. */
const useByLogDelivery = ({ region, account }: Home) => ({
  Sid: "LogDelivery",
  Effect: "Allow",
  Principal: { Service: "delivery.logs.amazonaws.com" },
  Action: "kms:Decrypt",
  Resource: "*",
  Condition: { StringEquals: { "kms:EncryptionContext:SourceArn": account.apply((id) => `arn:aws:logs:${region}:${id}:*`) } },
})

/**
 * Without these an encrypted bus drops its events without a word, and no archive is made. What EventBridge encrypts for itself it asks with
 * the bus as the context, and an archive's requests name no source; it looks at the key with neither. What its rules put into queues is
 * encrypted by SQS, in EventBridge's name and for the account.
 */
const useByEvents = ({ region, account }: Home) => [
  { Sid: "EventsLook", ...eventsMay(["kms:DescribeKey"]) },
  {
    Sid: "Events",
    ...eventsMay(["kms:Decrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"]),
    Condition: {
      ArnLike: { "kms:EncryptionContext:aws:events:event-bus:arn": account.apply((id) => `arn:aws:events:${region}:${id}:*`) },
    },
  },
  {
    Sid: "EventsToQueues",
    ...eventsMay(["kms:Decrypt", "kms:GenerateDataKey"]),
    Condition: { StringEquals: { "aws:SourceAccount": account } },
  },
]

const eventsMay = (actions: string[]) => ({
  Effect: "Allow",
  Principal: { Service: "events.amazonaws.com" },
  Action: actions,
  Resource: "*",
})

/** Without this an alarm cannot be put on an encrypted topic. */
const useByAlarms = ({ account }: Home) => ({
  Sid: "Alarms",
  Effect: "Allow",
  Principal: { Service: "cloudwatch.amazonaws.com" },
  Action: ["kms:Decrypt", "kms:GenerateDataKey"],
  Resource: "*",
  Condition: { StringEquals: { "aws:SourceAccount": account } },
})
