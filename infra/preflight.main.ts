import { readFileSync, writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { command } from "./command.ts"
import { figures } from "./figures.ts"
import { preflight } from "./preflight.ts"
import { quotasOf, quotaTable } from "./quotas.ts"
import { withFigures } from "./section.ts"

// `npm run preflight -- Pulumi.acme.yaml --tasks 50`: whether a stack keeps the policies, and the service quotas that it needs, before
// it is deployed. With `--write` the figures of the file are written into docs/operate.md, which is for the sample.

const usage = `Usage: npm run preflight -- [FILE] [--tasks N]

  FILE       the settings of a stack (Pulumi.sample.yaml)
  --tasks N  how many tasks run at once, for the service quotas (10)
  --write    writes the figures of the file into docs/operate.md
  --help     shows this`

await command(usage, async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { tasks: { type: "string", default: "10" }, write: { type: "boolean", default: false } },
  })
  const [file = "Pulumi.sample.yaml", surplus] = positionals
  if (surplus !== undefined) throw new Error(`${surplus} is one file too many`)
  const tasksAtOnce = Number(values.tasks)
  if (!Number.isInteger(tasksAtOnce) || tasksAtOnce < 1) throw new Error(`--tasks is a whole number above 0, not ${values.tasks}`)
  const { graph, wrong } = await preflight(readFileSync(file, "utf8"))

  console.log(`${file}, ${tasksAtOnce} tasks at once\n\n${figures(graph, wrong)}`)
  for (const complaint of wrong) console.log(`- ${complaint}`)
  console.log(`\n${quotaTable(quotasOf(graph, tasksAtOnce))}`)
  if (wrong.length) process.exitCode = 1
  if (values.write) {
    const guide = new URL("../docs/operate.md", import.meta.url)
    writeFileSync(guide, withFigures(readFileSync(guide, "utf8"), figures(graph, wrong)))
  }
})
