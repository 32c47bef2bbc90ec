import { readFileSync } from "node:fs"
import type { Wiring } from "#local/wiring.ts"
import type { App } from "./app.ts"

const wiring = JSON.parse(readFileSync(new URL("../infra/wiring.json", import.meta.url), "utf8")) as Wiring

/** Lets the core run in the process of a test as it runs in a function, on the AWS of a stack, with the operator's rights. */
export const useAwsOf = ({ awsUrl, credentials }: Pick<App, "awsUrl" | "credentials">, as = "dormouse-api-tasks") =>
  Object.assign(process.env, wiring.functions[as]!.environment, {
    AWS_ENDPOINT_URL: awsUrl,
    AWS_REGION: wiring.region,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  })
