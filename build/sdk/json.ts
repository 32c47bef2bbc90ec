import { text } from "node:stream/consumers"
import type { HttpResponse } from "@smithy/core/protocols"
import type { Call, Command, Input } from "./client.ts"

/** How the members of one command differ between the SDK and JSON, by the path of their names: dates are seconds, bytes base64. */
type Convert = (members: Input) => Input

interface Shape {
  /** The service's name and version before the operation's. */
  target: string
  version: "1.0" | "1.1"
  headers?: Record<string, string>
  input?: Convert
  output?: Convert
}

const asItIs: Convert = (members) => members

/** A command of the AWS JSON protocols: all that tells one from another is a header. */
export const jsonCommand = (operation: string, { target, version, headers = {}, input = asItIs, output = asItIs }: Shape) =>
  class implements Command {
    readonly input: Input

    constructor(input: Input) {
      this.input = input
    }

    call(given: Input): Call {
      return {
        method: "POST",
        path: "/",
        headers: { ...headers, "content-type": `application/x-amz-json-${version}`, "x-amz-target": `${target}.${operation}` },
        body: JSON.stringify(input(given)),
      }
    }

    async output(response: HttpResponse) {
      return output(await membersOf(response))
    }
  }

/** The JSON of an answer; one without a body has no members. */
export async function membersOf({ body }: HttpResponse): Promise<Input> {
  const said = await text(body)
  return said === "" ? {} : (JSON.parse(said) as Input)
}

/** The same members, those by these names converted where they are given. */
export const converting =
  (names: readonly string[], convert: (value: never) => unknown): Convert =>
  (members) => ({
    ...members,
    ...Object.fromEntries(
      names.filter((name) => members[name] !== undefined).map((name) => [name, convert(members[name] as never)]),
    ),
  })

export const toBase64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64")
export const fromBase64 = (text: string) => new Uint8Array(Buffer.from(text, "base64"))
export const toSeconds = (date: Date) => date.getTime() / 1000
export const fromSeconds = (seconds: number) => new Date(seconds * 1000)
