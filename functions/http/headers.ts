export type Headers = Record<string, string | undefined>

/** A header by its name in lower case, however the client has written it. */
export const header = (headers: Headers, name: string) =>
  headers[Object.keys(headers).find((key) => key.toLowerCase() === name) ?? ""]
