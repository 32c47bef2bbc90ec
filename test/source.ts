import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import type TypeScript from "../infra/node_modules/typescript/lib/typescript.js"

/** The project's own source, as the tests of the architecture look at it. */

export const root = join(import.meta.dirname, "..")

// The compiler of the infra workspace: the root's has no programming interface.
export const ts = createRequire(join(root, "infra/package.json"))("typescript") as typeof TypeScript

export type Node = TypeScript.Node

/** Every file that git knows or would add, below a folder. */
const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { cwd: root, encoding: "utf8" })
  .split("\n")
  .filter(Boolean)

export const isTest = (file: string) => /\.test\.ts$|(^|\/)test(ing)?\/|\bfixture/.test(file)

/** TypeScript that runs in production or on one machine: no tests, nothing generated. */
export const sources = (folder = "") =>
  files.filter((file) => file.startsWith(folder) && file.endsWith(".ts") && !file.endsWith(".d.ts") && !isTest(file))

export const textOf = (file: string) => readFileSync(join(root, file), "utf8")

export const parse = (file: string) => ts.createSourceFile(file, textOf(file), ts.ScriptTarget.Latest, true)

/** What a file imports, as written. */
export const importsOf = (file: string) =>
  [...textOf(file).matchAll(/(?:^|\n)\s*(?:import|export)\s(?:[^"';]*?\sfrom\s)?"([^"]+)"|\bimport\("([^"]+)"\)/g)].map(
    ([, a, b]) => a ?? b!,
  )

/** Every node of a tree, the root first. */
export function* walk(node: Node): Generator<Node> {
  yield node
  const children: Node[] = []
  node.forEachChild((child) => void children.push(child))
  for (const child of children) yield* walk(child)
}
