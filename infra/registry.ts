import * as aws from "@pulumi/aws"
import type { Home } from "./home.ts"

/** Holds our own image, which brings Node and the daemon into a task. Old tags stay good for a year of executions. */
export function createRegistry(home: Home) {
  const repository = new aws.ecr.Repository("task-image", {
    name: `${home.tenant}-task`,
    imageTagMutability: "IMMUTABLE",
    imageScanningConfiguration: { scanOnPush: true },
  })
  new aws.ecr.LifecyclePolicy("task-image", { repository: repository.name, policy: dropUntagged })
  return repository
}

const dropUntagged = JSON.stringify({
  rules: [
    {
      rulePriority: 1,
      description: "What lost its tag goes after a week",
      selection: { tagStatus: "untagged", countType: "sinceImagePushed", countUnit: "days", countNumber: 7 },
      action: { type: "expire" },
    },
    {
      rulePriority: 2,
      description: "The newest hundred stay",
      selection: { tagStatus: "any", countType: "imageCountMoreThan", countNumber: 100 },
      action: { type: "expire" },
    },
  ],
})
