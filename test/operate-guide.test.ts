import { execFileSync } from "node:child_process"
import { chmodSync, existsSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { root, textOf } from "./source.ts"

// What an operator types has to be there, and to run the program with the Node that can read it.

const guides = ["README.md", "Pulumi.sample.yaml", ...readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md"))].map(
  (name) => textOf(existsSync(join(root, name)) ? name : `docs/${name}`),
)
const { scripts, devDependencies } = JSON.parse(textOf("package.json")) as Record<
  "scripts" | "devDependencies",
  Record<string, string>
>

describe("what the guides tell an operator to type", () => {
  test("is a script of this repository, where npm runs it", () => {
    const named = guides.flatMap((guide) => [...guide.matchAll(/npm run (?:--silent )?([\w:-]+)/g)].map(([, name]) => name!))
    expect(named).toContain("pulumi")
    expect(named.filter((name) => !(name in scripts))).toEqual([])
  })

  test("calls Pulumi's command line by npm alone", () => {
    const command = /(.{0,20})\bpulumi (?:--|up|stack|destroy|state|config|preview|refresh)/g
    const calls = guides.flatMap((guide) => [...guide.matchAll(command)])
    expect(calls.length).toBeGreaterThan(5)
    expect(calls.filter(([call]) => !/npm run (--silent )?pulumi --$/.test(call)).map(([call]) => call)).toEqual([])
  })
})

describe("npm run pulumi", () => {
  const other = mkdtempSync(join(tmpdir(), "other-node-"))
  const program = (name: string, text: string) => {
    writeFileSync(join(other, name), `#!/bin/sh\n${text}\n`)
    chmodSync(join(other, name), 0o755)
  }

  beforeAll(() => {
    // As the machine of an operator has them: a Node that cannot read TypeScript, and Pulumi, which starts the first one that it finds.
    program("node", "echo 'Unknown file extension .ts' >&2; exit 1")
    program("pulumi", `node --input-type=module -e 'await import("./infra/regions.ts"); console.log(process.version)'; echo "$@"`)
  })
  afterAll(() => rmSync(other, { recursive: true }))

  test("has Pulumi find the Node of this repository, whatever the machine has, and prints nothing of its own where silent", () => {
    const folders = (process.env.PATH ?? "").split(delimiter)
    const npm = realpathSync(folders.map((folder) => join(folder, "npm")).find(existsSync)!)
    const path = [other, "/usr/bin", "/bin"].join(delimiter)
    const args = [npm, "run", "--silent", "pulumi", "--", "stack", "output", "apiUrl", "--stack", "acme"]

    const out = execFileSync(process.execPath, args, { cwd: root, encoding: "utf8", env: { HOME: other, PATH: path } })

    expect(out.trim().split("\n")).toEqual([`v${devDependencies.node}`, "stack output apiUrl --stack acme"])
  })
})
