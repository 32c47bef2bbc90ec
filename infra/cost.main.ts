import { readFileSync, writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { command } from "./command.ts"
import { costTable, nameOf, profiles, withCosts } from "./cost-table.ts"
import { evaluateLocal } from "./local-stack.ts"

// `npm run cost -- --tasks 100000 --minutes 12 --hibernations 1 --region us-east-1`: a month's bill by service. With `--turns 4` they
// are conversations. With `--write` the bills of four profiles are written into docs/operate.md.

const whole = (name: string, text: string) => {
  const number = Number(text)
  if (!Number.isFinite(number) || number < 0 || text.trim() === "")
    throw new Error(`--${name} is a number from 0 on, not ${text}`)
  return number
}

const usage = `Usage: npm run cost -- [options]

  --tasks N         tasks in a month (100000)
  --minutes N       of work in each (12)
  --hibernations N  of each (0)
  --turns N         of each, which makes conversations of them (0)
  --region NAME     home region (us-east-1)
  --write           writes the bills of four profiles into docs/operate.md
  --help            shows this`

await command(usage, async () => {
  const { values } = parseArgs({
    options: {
      tasks: { type: "string", default: "100000" },
      minutes: { type: "string", default: "12" },
      hibernations: { type: "string", default: "0" },
      turns: { type: "string", default: "0" },
      region: { type: "string", default: "us-east-1" },
      write: { type: "boolean", default: false },
    },
  })
  const { tasks, minutes, hibernations, turns, region } = values
  const profile = {
    tasks: whole("tasks", tasks),
    minutes: whole("minutes", minutes),
    hibernations: whole("hibernations", hibernations),
    turns: whole("turns", turns),
  }
  const graph = await evaluateLocal(undefined, { isolatedNetwork: false })
  console.log(costTable(graph, { [nameOf(profile)]: profile }, region))
  if (values.write) {
    const guide = new URL("../docs/operate.md", import.meta.url)
    writeFileSync(guide, withCosts(readFileSync(guide, "utf8"), costTable(graph, profiles, region)))
  }
})
