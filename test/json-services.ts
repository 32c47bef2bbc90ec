import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import { AwsError, type JsonService } from "#local/service.ts"

/** Serves JSON services of the embedded AWS to unmodified AWS clients, without the host around them. */

const read = async (request: IncomingMessage): Promise<Record<string, unknown>> => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return JSON.parse(Buffer.concat(chunks).toString() || "{}")
}

/** The region is the third word of the credential that a request was signed with. */
const regionOf = (request: IncomingMessage) =>
  /Credential=[^/]+\/\d+\/([^/]+)\//.exec(request.headers.authorization ?? "")?.[1] ?? ""

const answer = async (services: JsonService[], request: IncomingMessage) => {
  const [target, operation = ""] = String(request.headers["x-amz-target"]).split(".")
  const service = services.find((one) => one.target === target)
  if (!service) throw new AwsError("UnknownOperationException", `Nothing here speaks ${target}`)
  const body = await service.call(operation, await read(request), { accessKeyId: "test", region: regionOf(request) })
  return { status: 200, body, contentType: service.contentType }
}

const refuse = (error: unknown) => {
  const { code, message, status, extra } = error instanceof AwsError ? error : new AwsError("InternalFailure", String(error), 500)
  return { status, body: { __type: code, message, ...extra }, contentType: "application/x-amz-json-1.1" }
}

/** What AWS clients are made with to reach the services, and how to end it. */
export const serveJson = async (...services: JsonService[]) => {
  const server = createServer((request, response) => {
    void answer(services, request)
      .catch(refuse)
      .then(({ status, body, contentType }) => {
        response.writeHead(status, { "content-type": contentType }).end(JSON.stringify(body))
      })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  return {
    client: {
      endpoint: `http://127.0.0.1:${port}`,
      region: "us-east-1",
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
      maxAttempts: 1,
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
