import { randomUUID } from "node:crypto"
import { HttpRequest, type HttpResponse } from "@smithy/core/protocols"
import { StandardRetryStrategy } from "@smithy/core/retry"
import { NodeHttpHandler } from "@smithy/node-http-handler"
import { failureOf, retryTypeOf } from "./error.ts"
import { type Credentials, signed } from "./sign.ts"

/**
 * What the bundles have in place of the AWS SDK's clients: the same names, the same wire, and the SDK's own way to
 * send, without the generic rest, which is two thirds of a bundle and of the time that a function takes to start. `core` is written
 * and type-checked against the SDK itself; `sdk.test.ts` holds each command here against the SDK's. A command that is not here is an
 * error of the build: add it, or let the build take the SDK's client for that service.
 */

export interface Call {
  method: string
  path: string
  query?: Record<string, string>
  headers?: Record<string, string>
  body?: string | Uint8Array
}

/** Of a service: the name in its address, and the one that its signatures are made for. */
export interface Service {
  host: string
  signed: string
}

export interface Command {
  readonly input: Input
  call(input: Input): Call
  /** What `send` answers. Not called for answers that tell of a failure. */
  output(response: HttpResponse): Promise<unknown>
}

// biome-ignore lint/suspicious/noExplicitAny: callers are type-checked against the SDK's own declarations.
export type Input = Record<string, any>

export interface Options {
  region?: string
}

/** A function's credentials stay the same as long as it lives. */
export const credentials = (): Credentials => {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = process.env
  if (!(AWS_ACCESS_KEY_ID && AWS_SECRET_ACCESS_KEY)) throw new Error("The environment holds no credentials of AWS")
  return {
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
    ...(AWS_SESSION_TOKEN && { sessionToken: AWS_SESSION_TOKEN }),
  }
}

/** One for all clients: their connections are kept open between calls. */
const handler = new NodeHttpHandler({ connectionTimeout: 3000, requestTimeout: 60_000, throwOnRequestTimeout: true })

/** How often a call is made at most, as the SDK has it. */
const attempts = 3

const mostAttempts = () => Number(process.env.AWS_MAX_ATTEMPTS ?? attempts)

/** A client of one service. Subclasses name the service. */
export abstract class Client {
  protected abstract readonly service: Service
  readonly region: string
  readonly #retries = new StandardRetryStrategy(async () => mostAttempts())

  constructor({ region = process.env.AWS_REGION }: Options = {}) {
    if (!region) throw new Error("Region is missing")
    this.region = region
  }

  /** Opens a connection, which takes longer than a call, in the time that a function takes to start. What goes wrong shows with the first call. */
  protected connect() {
    const ping = handler.handle(this.request({ method: "GET", path: "/ping" }))
    ping.then(
      ({ response }) => response.body.resume(),
      () => undefined,
    )
  }

  /** The call as it goes over the wire, unsigned. */
  request({ method, path, query = {}, headers = {}, body }: Call): HttpRequest {
    const { protocol, host, hostname, port } = this.address
    return new HttpRequest({
      protocol,
      hostname,
      ...(port && { port: Number(port) }),
      method,
      path,
      query,
      headers: { ...headers, host, ...(body !== undefined && { "content-length": String(Buffer.byteLength(body)) }) },
      ...(body !== undefined && { body }),
    })
  }

  #address: URL | undefined

  get address(): URL {
    this.#address ??= this.#addressOf()
    return this.#address
  }

  #addressOf() {
    const suffix = this.region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com"
    return new URL(process.env.AWS_ENDPOINT_URL ?? `https://${this.service.host}.${this.region}.${suffix}`)
  }

  protected async sign(request: HttpRequest): Promise<HttpRequest> {
    const place = { region: this.region, service: this.service.signed }
    return new HttpRequest({ ...request, headers: signed(request, place, credentials()) })
  }

  /** Makes the call, again where it failed in a way that passes. Rejects with the error that the service names. */
  async send(command: Command): Promise<unknown> {
    // Prepared once: what makes a repeated call the first one, a token for instance, must be the same in each.
    const request = this.request(command.call(command.input))
    request.headers["amz-sdk-invocation-id"] = randomUUID()
    let token = await this.#retries.acquireInitialRetryToken(this.service.host)
    for (let attempt = 1; ; attempt++) {
      request.headers["amz-sdk-request"] = `attempt=${attempt}; max=${mostAttempts()}`
      try {
        const output = await this.#once(request, command)
        this.#retries.recordSuccess(token)
        return output
      } catch (error) {
        const errorType = retryTypeOf(error)
        if (!errorType) throw error
        // Waits as long as it has to, and rejects where there were attempts enough.
        token = await this.#retries.refreshRetryTokenForRetry(token, { errorType }).catch(() => Promise.reject(error))
      }
    }
  }

  async #once(request: HttpRequest, command: Command) {
    const { response } = await handler.handle(await this.sign(request))
    if (response.statusCode >= 300) throw await failureOf(response)
    return command.output(response)
  }
}
