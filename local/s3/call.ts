import type { IncomingMessage } from "node:http"
import type { Caller } from "../service.ts"
import type { Blobs } from "./blobs.ts"
import type { Store } from "./store.ts"

/** By lower-case name. */
export type Headers = Readonly<Record<string, string | undefined>>

/** One authenticated request, taken apart. */
export interface Call {
  request: IncomingMessage
  bucket: string
  /** Empty for a request about the bucket itself. */
  key: string
  query: Map<string, string>
  /** Headers by lower-case name, with the `x-amz-` ones that a presigned request carries in its query. */
  headers: Headers
  /** What was signed for the body. */
  payload: string
  caller: Caller
}

/** What an operation has at hand besides its call. */
export interface Service {
  store: Store
  blobs: Blobs
  /** Throws `AwsError` AccessDenied for what the caller's role does not allow. */
  authorize(caller: Caller, action: string, resource: string): void
}

/** What is sent back. */
export interface Answer {
  status: number
  headers?: Record<string, string | number>
  body?: string | AsyncIterable<Uint8Array>
}

/** An answer whose body is a document. */
export const xmlAnswer = (body: string, headers: Record<string, string> = {}): Answer => ({
  status: 200,
  headers: { ...headers, "content-type": "application/xml" },
  body,
})

export const bucketArn = (bucket: string) => `arn:aws:s3:::${bucket}`
export const objectArn = (bucket: string, key: string) => `arn:aws:s3:::${bucket}/${key}`

/** Asks whether the caller may do `action` to the object that the call is about. */
export const authorizeObject = (service: Service, call: Call, action: string) =>
  service.authorize(call.caller, action, objectArn(call.bucket, call.key))
