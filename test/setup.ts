import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { TestProject } from "vitest/node"
import { build } from "../build/bundle.ts"
import { startStack } from "../local/stack.ts"
import type { Aws } from "./aws.ts"
import { idleBundles } from "./idle-container.ts"
import { keepTrace } from "./stack.ts"

declare module "vitest" {
  interface ProvidedContext {
    stack: Aws & { apiUrl: string }
  }
}

const root = join(import.meta.dirname, "..")

/** Builds the bundles, and starts one stack that test files may share: accounts keep them apart. */
export default async function setup(project: TestProject) {
  await build(root)
  const data = mkdtempSync(join(tmpdir(), "dormouse-shared-"))
  const wiring = JSON.parse(readFileSync(join(root, "infra/wiring.json"), "utf8"))
  const stack = await startStack({ wiring, data, bundles: idleBundles(data), isolation: "none" })
  project.provide("stack", { apiUrl: stack.apiUrl, awsUrl: stack.awsUrl, credentials: stack.credentials })
  return async () => {
    await stack.stop()
    keepTrace(data)
    rmSync(data, { recursive: true, force: true })
  }
}
