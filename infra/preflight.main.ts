import { readFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { parse } from "yaml"
import { evaluate } from "./evaluate.ts"
import { quotasOf, quotaTable } from "./quotas.ts"

// `npm run preflight -- Pulumi.acme.yaml --tasks 50`: the service quotas that a stack needs, before it is deployed.

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { tasks: { type: "string", default: "10" } },
})
const [file = "Pulumi.sample.yaml"] = positionals
const tasksAtOnce = Number(values.tasks)
if (!Number.isInteger(tasksAtOnce) || tasksAtOnce < 1) throw new Error(`--tasks is a whole number above 0, not ${values.tasks}`)
const { config } = parse(readFileSync(file, "utf8")) as { config: Record<string, unknown> }
const texts = Object.fromEntries(
  Object.entries(config).map(([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)]),
)
const region = String(config["aws:region"])
const stack = { name: "preflight", region, account: "000000000000", config: texts }
const graph = await evaluate(() => import("./index.ts"), stack)

console.log(`${file} in ${region}, ${tasksAtOnce} tasks at once: ${graph.resources.length} resources\n`)
console.log(quotaTable(quotasOf(graph, tasksAtOnce)))
