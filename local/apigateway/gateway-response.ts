import type { ServerResponse } from "node:http"
import type { ApiWiring } from "../wiring.ts"

/** What the gateway says by itself, without a function. */

/** Status and words of each response type that can come up here, where the API does not say otherwise. */
const types = {
  BAD_REQUEST_BODY: [400, "Invalid request body"],
  MISSING_AUTHENTICATION_TOKEN: [403, "Missing Authentication Token"],
  REQUEST_TOO_LARGE: [413, "Request Too Long"],
  DEFAULT_5XX: [502, "Internal server error"],
  INTEGRATION_FAILURE: [504, "Network error communicating with endpoint"],
  INTEGRATION_TIMEOUT: [504, "Endpoint request timed out"],
} as const satisfies Record<string, readonly [status: number, message: string]>

export type ResponseType = keyof typeof types

interface About {
  requestId: string
  /** Path with the stage. */
  path: string
}

/**
 * Answers a request with a gateway response: the API's own for this type, else the API's for its class (`DEFAULT_4XX`,
 * `DEFAULT_5XX`), else AWS's. `$context.…` is filled in in bodies, and `'quoted'` or `context.…` in headers, as in an API's definition.
 */
export function sendGatewayResponse(
  response: ServerResponse,
  { gatewayResponses }: Pick<ApiWiring, "gatewayResponses">,
  type: ResponseType,
  about: About,
) {
  const [status, message] = types[type]
  const own = gatewayResponses[type]
  const template = own ?? gatewayResponses[status < 500 ? "DEFAULT_4XX" : "DEFAULT_5XX"]
  const context: Record<string, string> = {
    requestId: about.requestId,
    extendedRequestId: about.requestId,
    path: about.path,
    "error.message": message,
    "error.messageString": JSON.stringify(message),
    "error.responseType": type,
  }
  const body = (template?.body ?? '{"message":$context.error.messageString}').replace(
    /\$context\.([A-Za-z.]*[A-Za-z])/g,
    (whole, name: string) => context[name] ?? whole,
  )
  const headers = Object.entries(template?.headers ?? {}).map(([name, value]) => [name, headerValue(value, context)])
  response
    .writeHead(template?.status ?? status, {
      "content-type": "application/json",
      "x-amzn-requestid": about.requestId,
      "x-amzn-errortype": type,
      ...Object.fromEntries(headers),
      "content-length": Buffer.byteLength(body),
    })
    .end(body)
}

/** `'text'` stands for itself, `context.requestId` (or `$context.requestId`) for what it names; anything else is taken as it is. */
const headerValue = (value: string, context: Record<string, string>) => {
  if (value.startsWith("'")) return value.replace(/^'|'$/g, "")
  const [, name] = /^\$?context\.(.+)$/.exec(value) ?? []
  return name === undefined ? value : (context[name] ?? "")
}
