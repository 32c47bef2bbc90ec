import { AwsError } from "../service.ts"

/** How long the line before a chunk, and all trailers together, may be. */
const longestLine = 1024
const longestTrailers = 16_384

/** Takes the framing of `aws-chunked` off a body: `push` gives the bytes that a piece held, `end` the trailers. */
export interface Dechunker {
  push(piece: Buffer): Buffer[]
  /** Trailers by lower-case name. Problems: `AwsError` IncompleteBody when the last chunk never came. */
  end(): Record<string, string>
}

/** A body is `<size in hex>\r\n<bytes>\r\n` again and again, a chunk of size 0, and lines of `name:value`. */
export const dechunker = (): Dechunker => {
  let rest: Buffer = Buffer.alloc(0)
  let left = 0
  let state: "size" | "bytes" | "after" | "trailers" = "size"

  /** Takes one step and answers the bytes it freed, or nothing when it needs more input. */
  const step = (): Buffer | undefined => {
    if (state === "bytes") {
      if (rest.length === 0) return undefined
      const taken = rest.subarray(0, left)
      rest = rest.subarray(taken.length)
      left -= taken.length
      if (left === 0) state = "after"
      return taken
    }
    if (state === "after") {
      if (rest.length < 2) return undefined
      if (rest[0] !== 13 || rest[1] !== 10) throw malformed()
      rest = rest.subarray(2)
      state = "size"
      return empty
    }
    if (state === "trailers") {
      if (rest.length > longestTrailers) throw malformed()
      return undefined
    }
    const line = rest.subarray(0, longestLine).indexOf("\r\n")
    if (line < 0) {
      if (rest.length >= longestLine) throw malformed()
      return undefined
    }
    left = sizeIn(rest.toString("latin1", 0, line))
    rest = rest.subarray(line + 2)
    state = left === 0 ? "trailers" : "bytes"
    return empty
  }

  return {
    push(piece) {
      rest = rest.length === 0 ? piece : Buffer.concat([rest, piece])
      const freed: Buffer[] = []
      for (let bytes = step(); bytes; bytes = step()) if (bytes.length > 0) freed.push(bytes)
      return freed
    },
    end() {
      if (state !== "trailers") throw new AwsError("IncompleteBody", "The request body terminated unexpectedly.")
      return trailersIn(rest.toString("latin1"))
    },
  }
}

const empty = Buffer.alloc(0)

const sizeIn = (line: string) => {
  const size = /^([0-9a-f]{1,12})(;.*)?$/i.exec(line)?.[1]
  if (size === undefined) throw malformed()
  return Number.parseInt(size, 16)
}

const trailersIn = (text: string) => {
  const trailers: Record<string, string> = {}
  for (const line of text.split("\r\n")) {
    if (line === "") continue
    const colon = line.indexOf(":")
    if (colon < 1) throw new AwsError("MalformedTrailerError", "The request contained trailing data that was not well-formed.")
    trailers[line.slice(0, colon).trim().toLowerCase()] = line.slice(colon + 1).trim()
  }
  return trailers
}

const malformed = () => new AwsError("InvalidRequest", "The aws-chunked body is not well-formed.")
