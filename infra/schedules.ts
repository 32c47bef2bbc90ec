import * as aws from "@pulumi/aws"
import type { Home } from "./home.ts"
import { createRole } from "./iam.ts"
import type { Queues } from "./queues.ts"

/** Where attempts wait that are not due for a long time, and the role with which they are put into their queue then. */
export interface Schedules {
  group: aws.scheduler.ScheduleGroup
  role: aws.iam.Role
}

export function createSchedules(home: Home, key: aws.kms.Key, { deliveries, slowDeliveries }: Queues): Schedules {
  const name = `${home.tenant}-deliveries`
  const { role } = createRole("deliveries", {
    name,
    service: "scheduler.amazonaws.com",
    statements: [
      { sid: "Queues", actions: ["sqs:SendMessage"], resources: [deliveries.arn, slowDeliveries.arn] },
      { sid: "DataKey", actions: ["kms:Decrypt", "kms:GenerateDataKey"], resources: [key.arn] },
    ],
  })
  return { group: new aws.scheduler.ScheduleGroup("deliveries", { name }), role }
}
