import { readFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { policies } from "./policies.ts"
import { preflight } from "./preflight.ts"
import { quotasOf, quotaTable } from "./quotas.ts"

// `npm run preflight -- Pulumi.acme.yaml --tasks 50`: whether a stack keeps the policies, and the service quotas that it needs, before
// it is deployed.

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { tasks: { type: "string", default: "10" } },
})
const [file = "Pulumi.sample.yaml"] = positionals
const tasksAtOnce = Number(values.tasks)
if (!Number.isInteger(tasksAtOnce) || tasksAtOnce < 1) throw new Error(`--tasks is a whole number above 0, not ${values.tasks}`)
const { graph, wrong } = await preflight(readFileSync(file, "utf8"))

console.log(`${file} in ${graph.region}, ${tasksAtOnce} tasks at once: ${graph.resources.length} resources\n`)
console.log(quotaTable(quotasOf(graph, tasksAtOnce)))
console.log(`\n${Object.keys(policies).length} policies, ${wrong.length || "nothing"} against them`)
for (const complaint of wrong) console.log(`- ${complaint}`)
if (wrong.length) process.exitCode = 1
