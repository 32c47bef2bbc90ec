import { readFileSync } from "node:fs"
import * as z from "zod"
import { routesOf } from "#functions/http/routes.ts"
import type { Schema } from "./misfits.ts"

/** What an execution or a container that was started on one day counts on for as long as it lives. */
export interface Promised {
  date: string
  about: string
  /** What each state of the machine sends to its function. */
  payloads: Record<string, object>
  /** The errors by which the functions of each state tell the machine how to go on. */
  errors: Record<string, string[]>
  /** What a container says to each endpoint of the agent API and hears from it. */
  endpoints: Record<string, Endpoint>
}

export interface Endpoint {
  body?: Schema
  query?: Schema
  answer?: Schema
}

/** One of each, with the fields that the definition of the machine fills: a test compares them. */
const payloads = {
  Run: {
    accountId: "acc_01KAYG6X1S5E4W3V2T1R0Q9P8N",
    taskId: "tsk_01KAYG6X1S5E4W3V2T1R0Q9P8N",
    generation: 1,
    entry: "2026-11-28T12:00:00.000Z",
    tries: 0,
    token: "AQCEAAAAKgAAAAM",
  },
  Park: {
    accountId: "acc_01KAYG6X1S5E4W3V2T1R0Q9P8N",
    taskId: "tsk_01KAYG6X1S5E4W3V2T1R0Q9P8N",
    entry: "2026-11-28T12:00:00.000Z",
    tries: 0,
    token: "AQCEAAAAKgAAAAM",
    parkSeconds: 86_400,
  },
  Settle: {
    accountId: "acc_01KAYG6X1S5E4W3V2T1R0Q9P8N",
    taskId: "tsk_01KAYG6X1S5E4W3V2T1R0Q9P8N",
    error: "States.Timeout",
    cause: "",
  },
}

const about =
  "Written once by `npm run freeze`: executions and containers of this day count on it for a year. What is new gets a file of its own by the same command; one older than a year, or never deployed, may be deleted."

/** The same of today's repository. */
export async function promiseOf(date: string): Promise<Promised> {
  return { date, about, payloads, errors: errorsOfMachine(), endpoints: await endpoints() }
}

interface State {
  Arguments?: { Payload: object }
  Retry?: { ErrorEquals: string[] }[]
  Catch?: { ErrorEquals: string[] }[]
}

/** The states of the machine that call a function. */
export function states(): [name: string, state: State & { Arguments: { Payload: object } }][] {
  const file = new URL("../../state-machines/task.asl.json", import.meta.url)
  const { States } = JSON.parse(readFileSync(file, "utf8")) as { States: Record<string, State> }
  return Object.entries(States).flatMap(([name, { Arguments, ...state }]) => (Arguments ? [[name, { ...state, Arguments }]] : []))
}

const errorsOfMachine = () =>
  Object.fromEntries(
    states().map(([name, { Retry = [], Catch = [] }]) => {
      const named = [...Retry, ...Catch].flatMap(({ ErrorEquals }) => ErrorEquals)
      return [name, [...new Set(named)].filter((error) => !error.startsWith("States.")).sort()]
    }),
  )

async function endpoints(): Promise<Record<string, Endpoint>> {
  const routes = [...(await routesOf("agent")), ...(await routesOf("gateway"))]
  return Object.fromEntries(
    routes.map(({ name, body, query, returns: [, answer] }) => [
      name,
      {
        ...(body && { body: plain(body) }),
        ...(query && { query: plain(query) }),
        ...(answer instanceof z.ZodType && { answer: plain(answer) }),
      },
    ]),
  )
}

/** The schema alone: no names, no words, and in the place of a reference what it refers to. */
function plain(schema: z.ZodType): Schema {
  const { $defs = {}, ...root } = z.toJSONSchema(schema, { io: "input" }) as { $defs?: Record<string, object> }
  const strip = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(strip)
    if (typeof value !== "object" || value === null) return value
    if ("$ref" in value) return strip($defs[String(value.$ref).replace("#/$defs/", "")])
    return Object.fromEntries(
      Object.entries(value)
        .filter(([key, inner]) => !(words.has(key) && typeof inner !== "object") && key !== "example")
        .map(([key, inner]) => [key, strip(inner)]),
    )
  }
  return strip(root) as Schema
}

const words = new Set(["$schema", "id", "description", "title"])
