import type { Lambda } from "./lambda/lambda.ts"
import type { FunctionError } from "./lambda/messages.ts"
import { allow, type Books, count } from "./server.ts"
import { AwsError } from "./service.ts"
import type { Wiring } from "./wiring.ts"

/** How the services of the stack call its functions, each as it does in AWS. */
export interface Invocations {
  /** Waits for the answer; rejects with an error of the function's own name when it failed. */
  wait(reference: string, payload: unknown): Promise<unknown>
  /** As `wait`, with the rights of a role. */
  waitAs(reference: string, payload: unknown, role: string): Promise<unknown>
  /** Leaves the event with Lambda, which tries it three times. */
  leave(reference: string, event: unknown): void
}

interface Surroundings {
  lambda: Lambda
  books: Books
  wiring: Wiring
}

/** Ties the services to the functions. */
export function makeInvocations({ lambda, books, wiring }: Surroundings): Invocations {
  const wait = async (reference: string, payload: unknown) => {
    count(books, "lambda:Invoke")
    const answer = await lambda.invoke(reference, JSON.stringify(payload ?? {}))
    if ("error" in answer) throw thrownBy(answer.error)
    return JSON.parse(answer.payload) as unknown
  }
  return {
    wait,
    async waitAs(reference, payload, role) {
      const { arn } = wiring.functions[lambda.nameOf(reference)]!
      allow(books, wiring, { accessKeyId: role, role, region: wiring.region }, "lambda:InvokeFunction", [arn])
      return wait(reference, payload).catch(asLambda)
    },
    leave(reference, event) {
      count(books, "lambda:Invoke")
      lambda.invokeAsync(reference, JSON.stringify(event))
    },
  }
}

const thrownBy = ({ errorType, errorMessage, trace }: FunctionError) =>
  Object.assign(new Error(errorMessage), { name: errorType, stack: trace?.join("\n") })

/** Step Functions gives Lambda's own errors the service's name. */
const asLambda = (error: unknown) => {
  throw error instanceof AwsError ? Object.assign(new Error(error.message), { name: `Lambda.${error.code}` }) : error
}
