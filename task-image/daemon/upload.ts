import { readAll, type Sent, send, stallSeconds } from "./http.ts"

/** The store did not take the bytes. Another attempt may succeed. */
export class UploadFailed extends Error {
  override name = "UploadFailed"
  /** What it answered instead, if anything. */
  readonly status: number | undefined

  constructor(message: string, status?: number) {
    super(message)
    this.status = status
  }
}

/** Where to put bytes, and how, as the API says it. */
type Place = { upload_url: string; method: "PUT"; headers: Record<string, string> }

/** Puts `size` bytes there, once. Throws `UploadFailed`. */
export const upload = async (
  { upload_url, method, headers }: Place,
  body: NonNullable<Sent["body"]>,
  size: number,
  signal?: AbortSignal,
) => {
  const { status, text } = await put(new URL(upload_url), {
    method,
    headers: { ...headers, "content-length": String(size) },
    body,
    signal,
  })
  if (status < 200 || status > 299) throw new UploadFailed(`the store answered ${status} ${text.slice(0, 200)}`, status)
}

const put = async (url: URL, request: Sent) => {
  try {
    const response = await send(url, { ...request, stallSeconds })
    return { status: response.statusCode ?? 0, text: (await readAll(response)).toString("utf8") }
  } catch (error) {
    throw new UploadFailed(error instanceof Error ? error.message : String(error))
  }
}
