import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { calls } from "../demo/by-hand.ts"
import { as } from "./app.ts"
import { startModelServer } from "./model-server.ts"
import { textOf } from "./source.ts"
import { type OwnStack, ownStack } from "./stack.ts"
import { untilEnded } from "./until.ts"

// The README's examples are programs: they must run as they stand.

const run = promisify(execFile)
const example = /<!-- by-hand[^>]*-->\n```sh\n([\s\S]*?)```\n<!-- \/by-hand -->/.exec(textOf("README.md"))?.[1] ?? ""

let app: OwnStack
let model: Awaited<ReturnType<typeof startModelServer>>

beforeAll(async () => {
  model = await startModelServer([{ blocks: [{ text: "There is nothing to report." }] }])
  app = await ownStack({ ANTHROPIC_BASE_URL: model.url })
})

afterAll(async () => {
  await app?.stop()
  await model?.close()
})

describe("the README", () => {
  test("shows the calls that the demo shows", () => {
    expect(example.trim()).toBe(calls("http://localhost:3000").trim())
  })

  test("has calls that lead from an empty stack to a finished task", async () => {
    const key = "ac_live_myFirstKeyForDormouse"
    await app.operate({ operation: "ensureAccount", apiKey: key, creditUsd: 5 })
    const script = `set -e\n${example.replace("http://localhost:3000", app.apiUrl)}\necho\necho "task=$TASK"`
    const { stdout } = await run("bash", ["-c", script], { env: { ...process.env, ANTHROPIC_API_KEY: "sk-test" } })
    const taskId = /task=(tsk_\w+)/.exec(stdout)?.[1] ?? ""
    expect(await untilEnded(as(app, key), taskId)).toMatchObject({ status: "finished", result: "There is nothing to report." })
  })

  test("names only commands that there are", () => {
    const { scripts } = JSON.parse(textOf("package.json")) as { scripts: Record<string, string> }
    const named = [...`${textOf("README.md")}${textOf("AGENTS.md")}`.matchAll(/npm (?:run )?(start|test|[\w:]+)(?=[\s`])/g)].map(
      ([, name]) => name!,
    )
    expect(named.filter((name) => !["ci", "and"].includes(name) && !(name in scripts))).toEqual([])
  })
})
