import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda"
import { Misuse } from "./commands.ts"

export interface Target {
  /** First part of the stack's names. */
  tenant: string
  /** The stack of this machine, in this data folder, at this port of AWS's protocols. */
  local?: { data: string; awsPort: number } | undefined
}

/** The stack's own function refused, in its words. */
export class Refusal extends Error {}

/** Has the stack's operator function carry out an operation, and answers what it answers. Rejects with a `Refusal` where it does not. */
export async function carryOut({ tenant, local }: Target, operation: object): Promise<unknown> {
  // Not tried again by itself: what was made by a call whose answer got lost would be made twice.
  const client = new LambdaClient({ ...(local ? onThisMachine(local) : {}), maxAttempts: 1 })
  const command = new InvokeCommand({ FunctionName: `${tenant}-operate-operate`, Payload: JSON.stringify(operation) })
  const { FunctionError, Payload } = await client.send(command).catch((error: Error) => {
    if (error.message !== "Region is missing") throw error
    throw new Misuse("There is no AWS region: set AWS_REGION, or say --local for the stack of this machine")
  })
  const answer: unknown = JSON.parse(Buffer.from(Payload ?? []).toString("utf8") || "null")
  if (FunctionError) throw new Refusal(wordsOf((answer as { errorMessage?: string }).errorMessage ?? FunctionError))
  return answer
}

/** The operator's key pair is kept in the data folder, where `npm start` made it. */
function onThisMachine({ data, awsPort }: { data: string; awsPort: number }) {
  const path = join(data, "aws-secret")
  if (!existsSync(path)) throw new Misuse(`There is no stack in ${data}: start one with npm start, or say --data`)
  const secretAccessKey = readFileSync(path, "utf8").trim()
  return {
    endpoint: `http://127.0.0.1:${awsPort}`,
    region: "us-east-1",
    credentials: { accessKeyId: "local", secretAccessKey },
  }
}

/** A list of what is wrong with the input becomes a sentence. */
function wordsOf(message: string): string {
  try {
    const issues = JSON.parse(message) as { path: string[]; message: string }[]
    return issues.map(({ path, message }) => `${path.join(".") || "input"}: ${message}`).join("; ")
  } catch {
    return message
  }
}
