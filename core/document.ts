import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { setting } from "./aws.ts"

/** The API's own description, which lies beside the function's code. */
export async function read() {
  const body = await readFile(join(setting("LAMBDA_TASK_ROOT"), "openapi.yaml"), "utf8")
  return { status: 200, headers: { "content-type": "application/yaml", "cache-control": "public, max-age=300" }, body }
}
