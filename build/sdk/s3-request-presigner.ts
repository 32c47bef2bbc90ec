import type { Command } from "./client.ts"
import type { S3Client } from "./client-s3.ts"

interface Options {
  expiresIn?: number
  signingDate?: Date
  signableHeaders?: Set<string>
  unhoistableHeaders?: Set<string>
}

/** An address that makes this call for whoever has it. The body is not signed: its bytes are not there yet. */
export async function getSignedUrl(client: S3Client, command: Command, options: Options): Promise<string> {
  const request = client.request(command.call(command.input))
  request.headers["X-Amz-Content-Sha256"] = "UNSIGNED-PAYLOAD"
  const {
    protocol,
    hostname,
    port,
    path,
    query = {},
  } = await client.signer.presign(request, {
    ...options,
    // Whoever puts the bytes says what they are.
    unsignableHeaders: new Set(["content-type"]),
  })
  const parameters = Object.entries(query).map((pair) => pair.map((part) => encodeURIComponent(String(part))).join("="))
  return `${protocol}//${hostname}${port ? `:${port}` : ""}${path}?${parameters.join("&")}`
}
