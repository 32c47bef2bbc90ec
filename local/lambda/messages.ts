/** What the host and the thread of a function say to each other. */

export type ToThread =
  | { type: "invoke"; requestId: string; event: string; timeoutMs: number; arn: string }
  /** The chunk before was taken: the next may come. */
  | { type: "taken" }

export type FromThread =
  /** The bundle is loaded. */
  | { type: "ready" }
  | { type: "log"; text: string }
  /** With the processor time that it took. */
  | { type: "result"; payload: string; processorMs: number }
  /** Bytes of a streaming answer. `contentType` is what the function set before its first write. */
  | { type: "chunk"; bytes: Uint8Array; contentType?: string }
  | { type: "end" }
  /** The handler threw: the environment may go on. */
  | { type: "failed"; error: FunctionError }
  /** Something outside of the handler broke: the environment is of no more use. */
  | { type: "crashed"; error: FunctionError }

/** An error as Lambda shows it to whoever called the function. */
export interface FunctionError {
  errorType: string
  errorMessage: string
  trace?: string[]
}

export interface ThreadData {
  /** Folder of the bundle. */
  root: string
  /** `file.export` */
  handler: string
}
