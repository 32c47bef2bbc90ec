import type { RequestContext } from "./iam.ts"

/** What the services of the embedded AWS have in common. */

/** Who makes a call. Without a role it is the operator of this machine, who may do everything. */
export interface Caller {
  accessKeyId: string
  role?: string
  /** Region that the request was signed for. */
  region: string
}

/** A service that speaks one of AWS's JSON protocols: `X-Amz-Target: <target>.<operation>`. */
export interface JsonService {
  target: string
  contentType: "application/x-amz-json-1.0" | "application/x-amz-json-1.1"
  /** Whether the service itself allows a caller what the policies of its role say nothing of. */
  grants?(caller: Caller, action: string, resource: string, context: RequestContext): boolean
  /** Carries out one operation. Throws `AwsError` for what AWS would refuse. */
  call(operation: string, input: Record<string, unknown>, caller: Caller): Promise<object>
}

/** An error as AWS's protocols carry it: `code` is the exception's name. `extra` goes into the body beside it. */
export class AwsError extends Error {
  readonly code: string
  readonly status: number
  readonly extra: Record<string, unknown>

  constructor(code: string, message: string, status = 400, extra: Record<string, unknown> = {}) {
    super(message)
    this.name = code
    this.code = code
    this.status = status
    this.extra = extra
  }
}
