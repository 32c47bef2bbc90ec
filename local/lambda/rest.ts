import { AwsError } from "../service.ts"
import type { Answer, Lambda } from "./lambda.ts"

/** Lambda's `Invoke`, as its REST protocol writes it. */

export interface RestRequest {
  /** Path, still encoded. */
  path: string
  headers: NodeJS.Dict<string | string[]>
  body: string
}

export interface RestResponse {
  status: number
  headers: Record<string, string>
  body: string
}

const invocations = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/

/** The function that a path invokes, or nothing when it is no invocation. */
export const invokedBy = (path: string): string | undefined => {
  const reference = invocations.exec(path)?.[1]
  return reference && decodeURIComponent(reference)
}

/** Carries out one `Invoke`. Throws `AwsError` for what Lambda would refuse. */
export async function invokeOverRest(lambda: Lambda, reference: string, { headers, body }: RestRequest): Promise<RestResponse> {
  const payload = body === "" ? "{}" : body
  parsed(payload)
  const kind = headers["x-amz-invocation-type"] ?? "RequestResponse"
  if (kind === "DryRun") {
    lambda.nameOf(reference)
    return { status: 204, headers: {}, body: "" }
  }
  if (kind === "Event") return { status: 202, headers: { "x-amzn-requestid": lambda.invokeAsync(reference, payload) }, body: "" }
  if (kind !== "RequestResponse") throw new AwsError("InvalidParameterValueException", `Unknown invocation type ${kind}`)
  return respond(await lambda.invoke(reference, payload), headers["x-amz-log-type"] === "Tail")
}

const parsed = (payload: string) => {
  try {
    JSON.parse(payload)
  } catch (error) {
    throw new AwsError("InvalidRequestContentException", `Could not parse request body into json: ${error}`, 400, {
      Type: "User",
    })
  }
}

const respond = (answer: Answer, tail: boolean): RestResponse => ({
  status: 200,
  headers: {
    "content-type": "application/json",
    "x-amzn-requestid": answer.requestId,
    "x-amz-executed-version": "$LATEST",
    ...("error" in answer && { "x-amz-function-error": "Unhandled" }),
    ...(tail && { "x-amz-log-result": Buffer.from(answer.log).toString("base64") }),
  },
  body: "error" in answer ? JSON.stringify(answer.error) : answer.payload,
})
