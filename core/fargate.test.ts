import { afterAll, beforeAll, expect, test } from "vitest"
import { AwsError } from "#local/service.ts"
import { useAwsAt } from "#test/core-env.ts"
import { serveJson } from "#test/json-services.ts"
import * as Fargate from "./fargate.ts"

// What ECS answers to a start, in its own words, from a server in its place.

let answer: AwsError | object
let ecs: Awaited<ReturnType<typeof serveJson>>

beforeAll(async () => {
  const call = async () => {
    if (answer instanceof AwsError) throw answer
    return answer
  }
  ecs = await serveJson({ target: "AmazonEC2ContainerServiceV20141113", contentType: "application/x-amz-json-1.1", call })
  useAwsAt(ecs.client.endpoint)
  Object.assign(process.env, { AWS_MAX_ATTEMPTS: "1", TASK_TAGS: "{}" })
})
afterAll(() => ecs.close())

const place = {
  region: "us-east-1",
  cluster: "dormouse",
  subnets: ["subnet-1"],
  securityGroup: "sg-1",
  assignPublicIp: true,
  logGroup: "/dormouse",
}
const start = () =>
  Fargate.start({ definition: "agent:1", place, token: "run_1", startedBy: "acc_1/tsk_1/run_1", environment: {} }).catch(
    ({ name }) => name,
  )

test.each([
  ["InvalidParameterException", "No Container Instances were found in your cluster.", "Refused"],
  ["InvalidParameterException", "TaskDefinition is inactive", "Refused"],
  [
    "InvalidParameterException",
    "Error retrieving security group information for [sg-1]: Request limit exceeded. (ErrorCode: RequestLimitExceeded)",
    "Capacity",
  ],
  [
    "InvalidParameterException",
    "Unable to assume the service linked role. Please verify that the ECS service linked role exists.",
    "Capacity",
  ],
  ["ThrottlingException", "You've reached the limit on the number of vCPUs you can run concurrently", "Capacity"],
  ["ServerException", "Capacity is unavailable at this time. Please try again later", "Capacity"],
  ["AccessDeniedException", "You may not", "AccessDeniedException"],
])("%s (%s) is %s to the state machine", async (name, message, expected) => {
  answer = new AwsError(name, message)
  expect(await start()).toBe(expected)
})

test("a start of which ECS says that it has begun nothing waits for room", async () => {
  answer = { tasks: [], failures: [{ reason: "RESOURCE:CPU" }] }
  expect(await start()).toBe("Capacity")
  answer = { tasks: [{ taskArn: "arn:aws:ecs:us-east-1:000000000000:task/dormouse/1" }], failures: [] }
  expect(await start()).toMatch(/task\/dormouse\/1$/)
})
