import { interpolate } from "@pulumi/pulumi"
import type { Home } from "./home.ts"
import { createRole } from "./iam.ts"
import { distinct, type Runtimes } from "./runtime.ts"

/** With this role ECS pulls a task's images and writes its logs. The containers themselves have no role at all. */
export const createExecutionRole = (home: Home, runtimes: Runtimes) =>
  createRole("task-execution", {
    name: `${home.tenant}-task-execution`,
    service: "ecs-tasks.amazonaws.com",
    statements: [
      { sid: "SignIn", actions: ["ecr:GetAuthorizationToken"], resources: ["*"] },
      {
        sid: "Pull",
        // The last two are for images of a pull-through cache that nobody has pulled yet.
        actions: [
          "ecr:BatchGetImage",
          "ecr:GetDownloadUrlForLayer",
          "ecr:BatchCheckLayerAvailability",
          "ecr:BatchImportUpstreamImage",
          "ecr:CreateRepository",
        ],
        resources: [interpolate`arn:aws:ecr:*:${home.account}:repository/*`],
      },
      {
        sid: "Logs",
        actions: ["logs:CreateLogStream", "logs:PutLogEvents"],
        resources: distinct(runtimes).map(({ logGroup }) => interpolate`${logGroup.arn}:*`),
      },
    ],
  }).role
