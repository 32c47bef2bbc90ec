import { authorize } from "../iam.ts"
import type { Invocations } from "../invocations.ts"
import { AwsError } from "../service.ts"
import type { Sqs } from "../sqs/service.ts"
import type { Wiring } from "../wiring.ts"
import type { Schedule } from "./input.ts"

interface Surroundings {
  wiring: Wiring
  sqs: Sqs
  invocations: Invocations
}

/** What a schedule's target comes to: the permission that its role needs, and the call. */
interface Call {
  action: string
  resource: string
  make(): void
}

/** How Scheduler reaches a target: with the rights of the schedule's role, and of nobody else. */
export const targetsOf =
  ({ wiring, sqs, invocations }: Surroundings) =>
  async (target: Schedule["Target"]): Promise<void> => {
    const { action, resource, make } = callOf(target, { wiring, sqs, invocations })
    const role = target.RoleArn
    authorize(wiring, { accessKeyId: role, role, region: wiring.region }, action, [resource])
    make()
  }

function callOf({ Arn, Input = "{}" }: Schedule["Target"], { wiring, sqs, invocations }: Surroundings): Call {
  if (Arn.startsWith("arn:aws:sqs:")) return sending(sqs, Arn, Input)
  if (Arn.startsWith("arn:aws:lambda:")) {
    return { action: "lambda:InvokeFunction", resource: Arn, make: () => invocations.leave(Arn, JSON.parse(Input)) }
  }
  if (Arn !== "arn:aws:scheduler:::aws-sdk:sqs:sendMessage")
    throw new AwsError("ValidationException", `${Arn} does not work here.`)
  const { QueueUrl, MessageBody, MessageGroupId, DelaySeconds } = JSON.parse(Input) as Record<string, string | undefined>
  const name = QueueUrl?.split("/").at(-1)
  const queue = wiring.queues.find((one) => one.name === name)
  if (!queue) throw new AwsError("QueueDoesNotExist", "The specified queue does not exist.")
  return sending(sqs, queue.arn, MessageBody ?? "", {
    groupId: MessageGroupId,
    delaySeconds: DelaySeconds && Number(DelaySeconds),
  })
}

const sending = (sqs: Sqs, resource: string, body: string, rest: object = {}): Call => ({
  action: "sqs:SendMessage",
  resource,
  make: () => void sqs.send(resource, { body, ...rest }),
})
