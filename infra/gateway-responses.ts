/** What the gateway answers by itself, in the envelope of the API. Without a status the gateway keeps its own. */
interface GatewayResponse {
  status?: number
  code: string
  message: string
  headers?: Record<string, string>
}

const notFound = { status: 404, code: "not_found", message: "There is no such resource." }
const tooMany = {
  status: 429,
  code: "rate_limited",
  message: "Too many requests. Try again later.",
  headers: { "retry-after": "1" },
}
const unavailable = { status: 503, code: "unavailable", message: "The service is not available at the moment. Try again." }
const invalid = { status: 422, code: "invalid_request", message: "The request is not valid." }

/** By response type. No route takes signed requests, so whatever is refused over a signature has no route. */
const responses: Record<string, GatewayResponse> = {
  MISSING_AUTHENTICATION_TOKEN: notFound,
  INVALID_SIGNATURE: notFound,
  EXPIRED_TOKEN: notFound,
  ACCESS_DENIED: notFound,
  RESOURCE_NOT_FOUND: notFound,
  THROTTLED: tooMany,
  QUOTA_EXCEEDED: tooMany,
  REQUEST_TOO_LARGE: { status: 413, code: "payload_too_large", message: "The request is too large." },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, code: "unsupported_media_type", message: "This media type is not taken here." },
  BAD_REQUEST_BODY: invalid,
  BAD_REQUEST_PARAMETERS: invalid,
  UNAUTHORIZED: { status: 401, code: "unauthorized", message: "Invalid or missing API key." },
  WAF_FILTERED: { status: 403, code: "forbidden", message: "The request was refused." },
  INTEGRATION_FAILURE: unavailable,
  INTEGRATION_TIMEOUT: unavailable,
  DEFAULT_4XX: { code: "invalid_request", message: "The request is not valid." },
  DEFAULT_5XX: { status: 500, code: "internal", message: "Something went wrong on our side." },
}

/** The value of `x-amazon-apigateway-gateway-responses`. */
export const gatewayResponses = () =>
  Object.fromEntries(Object.entries(responses).map(([type, response]) => [type, inAwsTerms(response)]))

const inAwsTerms = ({ status, code, message, headers = {} }: GatewayResponse) => ({
  ...(status && { statusCode: status }),
  responseParameters: {
    "gatewayresponse.header.x-request-id": "context.requestId",
    ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [`gatewayresponse.header.${name}`, `'${value}'`])),
  },
  responseTemplates: {
    "application/json": JSON.stringify({ error: { code, message, requestId: "$context.requestId" } }),
  },
})
