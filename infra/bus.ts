import * as aws from "@pulumi/aws"
import type { Home } from "./home.ts"

/** Carries everything that happens to tasks, for us and for whatever the tenant wires to it. */
export const createBus = (home: Home, key: aws.kms.Key) =>
  new aws.cloudwatch.EventBus("domain", { name: `${home.tenant}-domain`, kmsKeyIdentifier: key.arn })
