import type { Wiring } from "#local/wiring.ts"
import deployed from "../infra/wiring.json" with { type: "json" }
import type { App } from "./app.ts"

/** What is deployed. */
export const wiring = deployed as unknown as Wiring

/** Lets the core speak to the AWS of an address, with rights that nobody looks at: a server that answers as a service of AWS does. */
export const useAwsAt = (endpoint: string) =>
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: wiring.region,
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
  })

/** Lets the core run in the process of a test as it runs in a function, on the AWS of a stack, with the operator's rights. */
export const useAwsOf = ({ awsUrl, credentials }: Pick<App, "awsUrl" | "credentials">, as = "dormouse-api-tasks") =>
  Object.assign(process.env, wiring.functions[as]!.environment, {
    AWS_ENDPOINT_URL: awsUrl,
    AWS_REGION: wiring.region,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  })
