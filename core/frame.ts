/** Server-sent events, as the HTML standard writes them (section 9.2). */

export interface Frame {
  event: string
  /** What the client says it has when it comes back. */
  id?: number
  data: unknown
}

/** JSON has no line breaks of its own, so whatever is in the data, it is one line. */
export const frameText = ({ event, id, data }: Frame) =>
  `event: ${event}\n${id === undefined ? "" : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`

/** Says nothing, so that nobody between us and the client takes the silence for the end. */
export const commentText = ": still here\n\n"

/** How long the client waits before it comes back. */
export const retryText = (milliseconds: number) => `retry: ${milliseconds}\n\n`
