import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { buildSync } from "esbuild"
import type { FunctionWiring, Statement, Wiring } from "./wiring.ts"

/** A small stack for the tests of the host: functions written down in a line or two, each with a role of its own. */

const account = "123456789012"
const region = "us-east-1"

export interface FixtureFunction {
  /** TypeScript of the module; `handler` is what is called. */
  code: string
  timeoutSeconds?: number
  memoryMb?: number
  environment?: Record<string, string>
  allows?: Statement[]
}

export interface Fixture {
  wiring: Wiring
  /** Folder with the bundles. */
  bundles: string
  data: string
  remove(): void
}

export const roleOf = (name: string) => `arn:aws:iam::${account}:role/fixture-${name}`
export const functionArn = (name: string) => `arn:aws:lambda:${region}:${account}:function:${name}`

/** Bundles the functions into a temporary folder, and wires them. */
export function makeFixture(functions: Record<string, FixtureFunction>, rest: Partial<Wiring> = {}): Fixture {
  const root = mkdtempSync(join(tmpdir(), "dormouse-"))
  const [bundles, data] = [join(root, "bundles"), join(root, "data")]
  mkdirSync(data)
  const wired = Object.entries(functions).map(([name, definition]): [string, FunctionWiring] => {
    bundle(join(bundles, name), definition.code)
    return [name, wire(name, definition)]
  })
  const roles = Object.entries(functions).map(([name, { allows }]) => [roleOf(name), allows ?? []])
  return {
    wiring: { ...empty, ...rest, functions: Object.fromEntries(wired), roles: { ...Object.fromEntries(roles), ...rest.roles } },
    bundles,
    data,
    remove: () => rmSync(root, { recursive: true, force: true }),
  }
}

function bundle(folder: string, code: string) {
  mkdirSync(folder, { recursive: true })
  const { outputFiles } = buildSync({
    stdin: { contents: code, resolveDir: import.meta.dirname, loader: "ts" },
    bundle: true,
    platform: "node",
    format: "cjs",
    write: false,
  })
  writeFileSync(join(folder, "index.cjs"), outputFiles[0]!.text)
}

const wire = (name: string, { timeoutSeconds = 10, memoryMb = 128, environment = {} }: FixtureFunction): FunctionWiring => ({
  arn: functionArn(name),
  bundle: name,
  handler: "index.handler",
  environment,
  timeoutSeconds,
  memoryMb,
  role: roleOf(name),
})

const empty: Wiring = {
  region,
  account,
  functions: {},
  roles: {},
  api: { id: "api", stage: "api", routes: [], gatewayResponses: {}, binaryMediaTypes: [] },
  tables: [],
  buckets: [],
  keys: [],
  buses: {},
  queues: [],
  eventSources: [],
  scheduleGroups: [],
  stateMachines: {},
  clusters: [],
}
