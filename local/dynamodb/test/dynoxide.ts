/** For tests: dynoxide, another implementation of DynamoDB, as a second opinion in a process of its own. */
import { type ChildProcessByStdio, spawn } from "node:child_process"
import { once } from "node:events"
import { createServer } from "node:http"
import { createRequire } from "node:module"
import type { AddressInfo } from "node:net"
import { dirname, join } from "node:path"
import type { Readable } from "node:stream"
import { DynamoDBClient } from "@aws-sdk/client-dynamodb"
import { DynamoDBStreamsClient } from "@aws-sdk/client-dynamodb-streams"
import type { Side } from "./conformance.ts"

/** The program; undefined where it is not installed, since there is one for Linux on x64 only. */
export const program = findProgram()

function findProgram() {
  try {
    return join(dirname(createRequire(import.meta.url).resolve("@dynoxide/linux-x64/package.json")), "dynoxide")
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "MODULE_NOT_FOUND") return undefined
    throw error
  }
}

export interface Dynoxide extends Side {
  stop(): Promise<void>
}

/** Starts one on a free port with everything in memory. Rejects if it ends instead of listening. */
export async function startDynoxide(): Promise<Dynoxide> {
  const port = await freePort()
  const child = spawn(program!, ["serve", "--port", String(port)], { stdio: ["ignore", "ignore", "pipe"] })
  const ended = once(child, "exit")
  await Promise.race([listening(child), ended.then(([code]) => Promise.reject(new Error(`dynoxide ended with ${code}`)))])
  const config = {
    endpoint: `http://127.0.0.1:${port}`,
    region: "eu-central-1",
    credentials: { accessKeyId: "key", secretAccessKey: "secret" },
    maxAttempts: 1,
  }
  const client = new DynamoDBClient(config)
  const streams = new DynamoDBStreamsClient(config)
  return {
    client,
    streams,
    async stop() {
      client.destroy()
      streams.destroy()
      child.kill()
      await ended
    },
  }
}

/** It says so on its standard error, which is read to the end so that it never waits for a reader. */
const listening = (child: ChildProcessByStdio<null, null, Readable>) =>
  new Promise<void>((resolve) => child.stderr.on("data", (chunk) => String(chunk).includes("listening") && resolve()))

/** dynoxide does not say which port it took when it is to choose one. */
async function freePort() {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, "close")
  return port
}
