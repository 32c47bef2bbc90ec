import { createHash } from "node:crypto"
import type { Readable } from "node:stream"
import { buffer, text } from "node:stream/consumers"
import type { HttpRequest, HttpResponse } from "@smithy/core/protocols"
import { SignatureV4 } from "@smithy/signature-v4"
import { type Call, Client, type Command, credentials, type Input } from "./client.ts"
import { inXml, named, unescaped } from "./error.ts"
import { Sha256 } from "./sha256.ts"

export class S3Client extends Client {
  protected override readonly service = { host: "s3", signed: "s3" }

  #signer: SignatureV4 | undefined

  get signer() {
    this.#signer ??= new SignatureV4({
      credentials: async () => credentials(),
      region: this.region,
      service: this.service.signed,
      sha256: Sha256,
      // S3 alone takes a path as it stands, and alone wants to see the body's hash.
      uriEscapePath: false,
      applyChecksum: true,
    })
    return this.#signer
  }

  /** A bucket is a host of its own, but for an endpoint that was set, which may be a mere address. */
  override request({ path, ...call }: Call) {
    const request = super.request({ ...call, path })
    if (process.env.AWS_ENDPOINT_URL) return request
    const [, bucket = "", ...key] = path.split("/")
    request.hostname = request.headers.host = `${bucket}.${request.hostname}`
    request.path = `/${key.join("/")}`
    return request
  }

  /** Its paths and queries are not as plain as those of the other services. */
  protected override async sign(request: HttpRequest) {
    return (await this.signer.sign(request)) as HttpRequest
  }
}

/** Every byte that is not plain is escaped, as the signature has it; slashes stay what they are. */
const escaped = (part: string) =>
  encodeURIComponent(part).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
const objectPath = ({ Bucket, Key }: Input) => `/${Bucket}/${(Key as string).split("/").map(escaped).join("/")}`

/** Members that go as headers, and parameters of the query: those of them that are given, as text. */
const texts = (input: Input, names: Record<string, string>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(names)
      .filter(([member]) => input[member] !== undefined)
      .map(([member, name]) => [name, String(input[member])]),
  )

abstract class ObjectCommand implements Command {
  abstract readonly method: string
  readonly headers: Record<string, string> = {}
  readonly query: Record<string, string> = {}

  readonly input: Input

  constructor(input: Input) {
    this.input = input
  }

  call(input: Input): Call {
    return {
      method: this.method,
      path: objectPath(input),
      headers: texts(input, this.headers),
      query: texts(input, this.query),
      ...(input.Body !== undefined && { body: input.Body }),
    }
  }

  async output({ headers, body }: HttpResponse): Promise<unknown> {
    body.resume()
    return factsOf(headers)
  }
}

/** What S3 says of an object in headers. */
const factsOf = (headers: HttpResponse["headers"]) => ({
  ETag: headers.etag,
  ContentType: headers["content-type"],
  ContentRange: headers["content-range"],
  ChecksumSHA256: headers["x-amz-checksum-sha256"],
  ...(headers["content-length"] !== undefined && { ContentLength: Number(headers["content-length"]) }),
})

export class GetObjectCommand extends ObjectCommand {
  override readonly method = "GET"
  override readonly headers = { Range: "range" }
  override readonly query = {
    ResponseContentDisposition: "response-content-disposition",
    ResponseContentType: "response-content-type",
  }

  override async output({ headers, body }: HttpResponse) {
    return { ...factsOf(headers), Body: withTransforms(body) }
  }
}

const withTransforms = (body: Readable) =>
  Object.assign(body, {
    transformToByteArray: async () => new Uint8Array(await buffer(body)),
    transformToString: () => text(body),
  })

export class HeadObjectCommand extends ObjectCommand {
  override readonly method = "HEAD"
  override readonly headers = { ChecksumMode: "x-amz-checksum-mode" }
}

export class PutObjectCommand extends ObjectCommand {
  override readonly method = "PUT"
  override readonly headers = {
    ContentLength: "content-length",
    ContentType: "content-type",
    ChecksumSHA256: "x-amz-checksum-sha256",
    IfNoneMatch: "if-none-match",
  }

  override call(input: Input) {
    return super.call({ ContentType: "application/octet-stream", ...input })
  }
}

export class DeleteObjectCommand extends ObjectCommand {
  override readonly method = "DELETE"
}

const names: Record<string, string> = { "&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos" }
const xml = (value: string) =>
  value.replace(/[&<>"'\r\n]/g, (char) => `&${names[char] ?? `#x${char.charCodeAt(0).toString(16).toUpperCase()}`};`)

export class DeleteObjectsCommand implements Command {
  readonly input: Input

  constructor(input: Input) {
    this.input = input
  }

  call({ Bucket, Delete: { Objects, Quiet } }: Input): Call {
    const objects = (Objects as Input[]).map(({ Key }) => `<Object><Key>${xml(Key)}</Key></Object>`).join("")
    const body = `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${objects}${Quiet ? "<Quiet>true</Quiet>" : ""}</Delete>`
    const sha256 = createHash("sha256").update(body).digest("base64")
    return {
      method: "POST",
      path: `/${Bucket}/`,
      query: { delete: "" },
      headers: { "content-type": "application/xml", "x-amz-checksum-sha256": sha256, "x-amz-sdk-checksum-algorithm": "SHA256" },
      body,
    }
  }

  async output(response: HttpResponse) {
    const errors = elements(await documentOf(response), "Error")
    return errors.length ? { Errors: errors } : {}
  }
}

export class ListObjectsV2Command implements Command {
  readonly input: Input

  constructor(input: Input) {
    this.input = input
  }

  call(input: Input): Call {
    const names = { Prefix: "prefix", MaxKeys: "max-keys", ContinuationToken: "continuation-token", StartAfter: "start-after" }
    return { method: "GET", path: `/${input.Bucket}/`, query: { "list-type": "2", ...texts(input, names) } }
  }

  async output(response: HttpResponse) {
    const document = await documentOf(response)
    return {
      Contents: elements(document, "Contents").map(({ Size, LastModified, ...others }) => ({
        ...others,
        Size: Number(Size),
        LastModified: new Date(LastModified!),
      })),
      IsTruncated: /<IsTruncated>true</.test(document),
      NextContinuationToken: valuesIn(document).NextContinuationToken,
    }
  }
}

/** S3 may find out only after it has answered 200 that it cannot answer: then the document is that of an error, which passes. */
async function documentOf(response: HttpResponse): Promise<string> {
  const document = await text(response.body)
  if (/^\s*(<\?xml[^>]*>)?\s*<Error>/.test(document)) throw inXml(document, { ...response, statusCode: 503 })
  return document
}

/** The elements of a name, each with the text of those in it. S3 writes plain elements with nothing mixed, and no CDATA. */
const elements = (document: string, name: string) =>
  [...document.matchAll(new RegExp(`<${name}>(.*?)</${name}>`, "gs"))].map(([, inside]) => valuesIn(inside!))

const valuesIn = (document: string): Record<string, string> =>
  Object.fromEntries([...document.matchAll(/<(\w+)>([^<]*)<\/\1>/g)].map(([, name, value]) => [name, unescaped(value!)]))

export const NoSuchKey = named("NoSuchKey")
export const NotFound = named("NotFound")
