import { readFileSync, writeFileSync } from "node:fs"

/** Tables of docs/reliability.md that are made by a command. */

const path = new URL("../../docs/reliability.md", import.meta.url)

/** Replaces what stands between the marks of a section. */
export const writeSection = (name: string, text: string) => {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  const page = readFileSync(path, "utf8")
  const [before, after] = [page.split(begin)[0]!, page.split(end)[1]]
  if (after === undefined) throw new Error(`docs/reliability.md has no section ${name}`)
  writeFileSync(path, `${before}${begin}\n${text}\n${end}${after}`)
}
