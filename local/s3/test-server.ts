import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3"
import type { CorsRule } from "../wiring.ts"
import { openS3, type S3Options } from "./s3.ts"

/** What the tests sign with, and the bucket they use. */
export const credentials = { accessKeyId: "AKIATEST", secretAccessKey: "secret/of+the=tests" }
export const bucket = "files"

/** A new empty folder. */
export const newDirectory = () => mkdtempSync(join(tmpdir(), "s3-"))

/** An S3 over HTTP on a free port, with one bucket. */
export const startServer = async ({ corsRules, ...options }: Partial<S3Options> & { corsRules?: CorsRule[] } = {}) => {
  const directory = options.directory ?? newDirectory()
  const s3 = openS3({
    secretOf: (id) => (id === credentials.accessKeyId ? credentials.secretAccessKey : undefined),
    ...options,
    directory,
  })
  s3.createBucket(bucket, corsRules)
  const server = createServer((request, response) => void s3.handle(request, response))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  return {
    directory,
    server,
    port,
    endpoint: `http://127.0.0.1:${port}`,
    s3,
    /** Ends the server and removes its folder, unless that is to be kept for another one. */
    async stop(keep = false) {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      s3.close()
      if (!keep) rmSync(directory, { recursive: true })
    },
  }
}

/** An unmodified client of the server. It does not retry, so that a test sees every refusal. */
export const clientOf = (endpoint: string, options: S3ClientConfig = {}) =>
  new S3Client({ endpoint, region: "us-east-1", credentials, maxAttempts: 1, ...options })

// As a process of its own it serves the folder it is given and says on which port, for tests that kill it.
if (import.meta.main) {
  const { port } = await startServer({ directory: process.argv[2]! })
  console.log(port)
}
