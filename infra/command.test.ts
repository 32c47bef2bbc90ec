import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"

let folder: string
const minimal = "config:\n  aws:region: us-east-1\n  dormouse:tenant: acme\n  dormouse:imageTag: '1'\n"

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "dormouse-command-"))
  writeFileSync(join(folder, "unknown.yaml"), `${minimal}  dormouse:isolatedNetworks: true\n`)
  writeFileSync(join(folder, "untagged.yaml"), minimal.replace(/ {2}dormouse:imageTag.*\n/, ""))
  writeFileSync(join(folder, "broken.yaml"), "config: [")
  writeFileSync(join(folder, "unsure.yaml"), `${minimal}  dormouse:firewall: perhaps\n`)
})

afterAll(() => rmSync(folder, { recursive: true }))

const run = (command: string, words: string[]) => {
  const args = [join(import.meta.dirname, `${command}.main.ts`), ...words]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8" })
  return { status, stdout, stderr }
}

describe("a mistake is answered by one sentence and exit code 1", () => {
  test.each([
    ["preflight", "unknown.yaml", "Setting isolatedNetworks is not known: did you mean isolatedNetwork?"],
    [
      "preflight",
      "untagged.yaml",
      'The setting dormouse:imageTag is missing: the stack\'s file needs one, such as dormouse:imageTag: "0.1.0"',
    ],
    [
      "preflight",
      "broken.yaml",
      "The file is no YAML: Flow sequence in block collection must be sufficiently indented and end with a ] at line 1, column 10",
    ],
    ["preflight", "absent.yaml", "There is no absent.yaml"],
    ["preflight", "unsure.yaml", "Configuration 'dormouse:firewall' value 'perhaps' is not a valid boolean"],
    ["preflight", "--tasks many", "--tasks is a whole number above 0, not many"],
    ["preflight", "--task 5", "Unknown option '--task'"],
    ["preflight", "unknown.yaml 50", "50 is one file too many"],
    ["cost", "--region eu-north-1", "There are no prices for eu-north-1: us-east-1, eu-central-1"],
    ["cost", "--minutes some", "--minutes is a number from 0 on, not some"],
    ["cost", "100", "Unexpected argument '100'"],
    ["permissions", "absent", "There is no absent"],
    ["permissions", "--write", "Name the folder of the traces"],
  ])("%s %s", (command, words, sentence) => {
    const file = command === "permissions" ? "unused" : command
    expect(run(file, words.split(" "))).toEqual({ status: 1, stdout: "", stderr: `${sentence}\n` })
  })
})

test.each(["preflight", "cost", "unused"])("%s says with --help what it takes", (command) => {
  const { status, stdout, stderr } = run(command, ["--help"])
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" })
  expect(stdout).toContain("Usage: npm run ")
})

test("a bill says what it is for", () => {
  const { stdout } = run("cost", ["--tasks", "5000", "--minutes", "3", "--hibernations", "1", "--turns", "2"])
  expect(stdout.split("\n")[0]).toBe("| USD a month in us-east-1 | 5,000 tasks; of each: minutes 3, hibernations 1, turns 2 |")
})
