import { execFile } from "node:child_process"
import { copyFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import openapiTs, { astToString } from "openapi-typescript"
import { afterAll, beforeAll, expect, test } from "vitest"
import { newAccount, shared } from "../app.ts"

// A client that a generator makes of the document, in the hands of a customer's program.

const run = promisify(execFile)
const root = join(import.meta.dirname, "../..")
const program = readFileSync(join(import.meta.dirname, "program.ts"), "utf8")
let folder: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "dormouse-client-"))
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"))
  copyFileSync(join(root, "tsconfig.json"), join(folder, "tsconfig.json"))
  writeFileSync(join(folder, "package.json"), '{"type":"module"}')
  const types = await openapiTs(new URL("../../openapi/openapi.yaml", import.meta.url))
  writeFileSync(join(folder, "schema.ts"), astToString(types))
  writeFileSync(join(folder, "program.ts"), program)
  for (const [i, [right, wrong]] of mistakes.entries()) writeFileSync(join(folder, `wrong${i}.ts`), spoiled(right, wrong))
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What a customer may get wrong, each in a program of its own. */
const mistakes = [
  ['instructions: "Write', 'instruction: "Write'],
  ["inputFileIds: [file.id]", "inputFileIds: file.id"],
  ["repositoryId: repository.id", "repository: repository.id"],
  ['runtimeRegion: "any"', 'runtimeRegion: "moon"'],
  ['name: "Website",', ""],
  ["const error: string | null", "const error: string"],
  ["task.agentId", "task.agent"],
  ["path: { agentId: agent.id }", "path: {}"],
  ['"/api/v1/uploads/complete"', '"/api/v1/uploads/finish"'],
  ["limit: 10", 'limit: "ten"'],
] as const

function spoiled(right: string, wrong: string) {
  expect(program).toContain(right)
  return program.replace(right, wrong)
}

/** The files in which the compiler finds a mistake. */
async function wrongFiles() {
  const compiler = join(root, "node_modules/.bin/tsc")
  const { stdout } = await run(compiler, ["--project", "."], { cwd: folder }).catch((error) => error as { stdout: string })
  return [...new Set([...stdout.matchAll(/^(\S+)\(\d+,\d+\): error/gm)].map(([, file]) => file))].sort()
}

test("takes what is right, and nothing else: a wrong field, a missing one, a wrong value, a wrong path", async () => {
  expect(await wrongFiles()).toEqual(mistakes.map((_, i) => `wrong${i}.ts`))
})

test("goes from an agent over a file and a repository to a task", async () => {
  const app = shared()
  const { apiKey } = await newAccount(app)
  const env = { ...process.env, API_URL: app.apiUrl, API_KEY: apiKey }
  const { stdout } = await run(process.execPath, [join(folder, "program.ts")], { env })
  expect(JSON.parse(stdout)).toEqual({
    agent: { mode: "named", files: [{ name: "report.md" }] },
    file: "data.csv",
    repository: [],
    task: { agentId: true, metadata: { ticket: 17 }, error: null },
    list: { ids: [true], hasMore: false },
    missing: "task_not_found",
  })
})
