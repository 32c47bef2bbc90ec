import { spawn } from "node:child_process"
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { writeSection } from "../reliability/section.ts"
import { type Bug, bugs, suiteOf } from "./bugs.ts"

// `npm run test:mutants`: plants each bug in a copy of the tree, runs the tests that ought to catch it, and writes the table of
// docs/reliability.md. Words on the command line choose bugs by their kind.

const root = join(import.meta.dirname, "../..")
const atLeast = 24
const minutes = 4

const isCopied = (path: string) => !/(^|\/)(node_modules|\.git|dist|\.dormouse)$/.test(path)

/** A copy of the tree, with the modules of this one. */
const copyTree = () => {
  const copy = mkdtempSync(join(tmpdir(), "dormouse-mutants-"))
  cpSync(root, copy, { recursive: true, filter: isCopied })
  for (const folder of ["", "infra", "task-image"]) {
    const modules = join(root, folder, "node_modules")
    symlinkSync(modules, join(copy, folder, "node_modules"))
  }
  return copy
}

/** Writes a file with the bug in it. Answers how that is taken back. */
const plant = (copy: string, { file, find, replace }: Bug) => {
  const path = join(copy, file)
  const text = readFileSync(path, "utf8")
  if (text.split(find).length !== 2) throw new Error(`In ${file} this does not stand exactly once: ${find}`)
  writeFileSync(
    path,
    text.replace(find, () => replace),
  )
  return () => writeFileSync(path, text)
}

/** Whether the tests fail. Tests that do not end in time say nothing. */
const areFailing = (copy: string, { tests }: Pick<Bug, "tests">) =>
  new Promise<boolean>((resolve) => {
    const { files, name, needsStack } = suiteOf(tests)
    const config = needsStack ? [] : ["--config", "test/mutants/vitest.config.ts"]
    const args = ["run", ...config, ...files, ...(name === undefined ? [] : ["-t", name]), "--bail", "1"]
    const run = spawn(join(root, "node_modules/.bin/vitest"), args, { cwd: copy, stdio: "ignore", timeout: minutes * 60_000 })
    run.on("exit", (code) => resolve(code === 1))
  })

interface Outcome {
  bug: Bug
  isCaught: boolean
}

const chosen = bugs.filter(({ kind }) => process.argv.slice(2).every((word) => kind.includes(word)))

/** Tests that fail without a bug would seem to catch all of them. */
const control = async (copy: string) => {
  for (const tests of new Set(chosen.map((bug) => bug.tests)))
    if (await areFailing(copy, { tests })) throw new Error(`The tests of ${tests} fail without any bug`)
}

const worker = async (left: Bug[], done: Outcome[], copy: string) => {
  for (let bug = left.shift(); bug !== undefined; bug = left.shift()) {
    const mend = plant(copy, bug)
    const isCaught = await areFailing(copy, bug)
    mend()
    done.push({ bug, isCaught })
    console.log(`${isCaught ? "caught" : "NOT CAUGHT"}  ${bug.kind}`)
  }
  rmSync(copy, { recursive: true, force: true })
}

const table = (outcomes: Outcome[]) => [
  "| planted in | bug | caught by |",
  "|---|---|---|",
  ...outcomes
    .toSorted((a, b) => bugs.indexOf(a.bug) - bugs.indexOf(b.bug))
    .map(({ bug, isCaught }) => `| \`${bug.file}\` | ${bug.kind} | ${isCaught ? bug.tests : "**nothing**"} |`),
]

const left = [...chosen]
const outcomes: Outcome[] = []
const copies = Array.from({ length: Math.min(2, availableParallelism()) }, copyTree)
await control(copies[0]!)
await Promise.all(copies.map((copy) => worker(left, outcomes, copy)))
const caught = outcomes.filter(({ isCaught }) => isCaught).length
const summary = `${caught} of ${outcomes.length} planted bugs are caught.`
console.log(summary)
if (chosen.length === bugs.length) {
  writeSection("planted bugs", [...table(outcomes), "", summary].join("\n"))
  process.exitCode = caught >= atLeast ? 0 : 1
}
