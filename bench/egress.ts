import { readFileSync, writeFileSync } from "node:fs"
import { useAgent } from "request-filtering-agent"
import ssrfFilter from "ssrf-req-filter"
import { type Figures, sendWith, standIn, stoppedBy } from "../test/egress-comparison.ts"

// `npm run bench:egress`: which ways to reach what is not public are stopped by us, which by the two packages that are used most for that,
// and which by nobody's doing. The table is shown, and written into docs/webhooks.md with `--write`.

standIn()
process.env.WEBHOOK_TARGETS = "public"
const { post } = await import("../core/egress.ts")

const contenders = {
  Dormouse: (url: string) => post(url, {}, "hello"),
  "request-filtering-agent": sendWith((url) => useAgent(url)),
  "ssrf-req-filter": sendWith((url) => ssrfFilter(url)),
  "Node alone": sendWith(() => undefined),
}

const row = (cells: (string | number)[]) => `| ${cells.join(" | ")} |`
const sumOf = (figures: Figures, what: "stopped" | "of") => Object.values(figures).reduce((sum, figure) => sum + figure[what], 0)

function tableOf(columns: Record<string, Figures>) {
  const [[, ours]] = Object.entries(columns) as [[string, Figures]]
  const all = Object.values(columns)
  return [
    row(["", "vectors", ...Object.keys(columns)]),
    row(["---", "---:", ...all.map(() => "---:")]),
    ...Object.entries(ours).map(([kind, { of }]) => row([kind, of, ...all.map((figures) => figures[kind]!.stopped)])),
    row(["together", sumOf(ours, "of"), ...all.map((figures) => sumOf(figures, "stopped"))]),
  ].join("\n")
}

function write(table: string) {
  const guide = new URL("../docs/webhooks.md", import.meta.url)
  const text = readFileSync(guide, "utf8")
  writeFileSync(
    guide,
    text.replace(/(<!-- egress[^>]*-->\n).*?(?=<!-- \/egress -->)/s, (_, begin: string) => `${begin}${table}\n`),
  )
}

const columns: Record<string, Figures> = {}
for (const [name, send] of Object.entries(contenders)) columns[name] = await stoppedBy(send)
const table = tableOf(columns)
console.log(table)
if (process.argv.includes("--write")) write(table)
