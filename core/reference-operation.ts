import { escaped, inline, prose } from "./reference-html.ts"
import { describe, exampleOf, fieldsOf, type Schema, typeOf } from "./reference-schema.ts"

/** The part of an OpenAPI document that a reader is shown. */
export interface Document {
  info: { title: string; version: string; description?: string }
  paths: Record<string, Record<string, Omit<Operation, "method" | "path">>>
  components: { schemas: Record<string, Schema> }
}

export interface Operation {
  method: string
  path: string
  operationId: string
  summary: string
  description?: string
  tags: string[]
  security?: object[]
  parameters?: Parameter[]
  requestBody?: Content
  responses: Record<string, Content & { description: string; headers?: Record<string, { description?: string }> }>
}

interface Parameter {
  name: string
  in: "path" | "query" | "header"
  required?: boolean
  description?: string
  schema: Schema
}

interface Content {
  content?: Record<string, { schema: Schema }>
}

const bodyOf = (holder: Content | undefined) => holder?.content?.["application/json"]?.schema

/** One operation: what it does, what it takes and answers, how it is called, and a form to try it. */
export function operationSection(document: Document, operation: Operation): string {
  const { operationId, method, path, summary, description } = operation
  return `<article class="operation" id="${escaped(operationId)}" data-method="${method}" data-path="${escaped(path)}">
<h3><a href="#${escaped(operationId)}">${escaped(summary)}</a></h3>
<p class="call"><span class="method ${method.toLowerCase()}">${method}</span> <code>${withBreaks(path)}</code></p>
<div class="columns">
<div>
${prose(description ?? "")}
${parametersOf(operation)}
${requestOf(document, operation)}
${answersOf(document, operation)}
</div>
<div class="aside">
${curl(document, operation)}
${tryIt(document, operation)}
</div>
</div>
</article>`
}

/** A path may be broken after each of its slashes. */
const withBreaks = (path: string) => escaped(path).replaceAll("/", "/<wbr>")

function parametersOf({ parameters = [] }: Operation): string {
  const places = [
    ["path", "In the path"],
    ["query", "In the query"],
    ["header", "In the headers"],
  ] as const
  return places
    .map(([place, title]) => ({ title, found: parameters.filter((parameter) => parameter.in === place) }))
    .filter(({ found }) => found.length)
    .map(({ title, found }) => `<h4>${title}</h4><ul class="fields">${found.map(parameterOf).join("")}</ul>`)
    .join("\n")
}

function parameterOf({ name, required, description, schema }: Parameter): string {
  const { facts, words } = describe(description ? { ...schema, description } : schema)
  return `<li><div><code class="name">${escaped(name)}</code> ${facts}${required ? ' <span class="required">required</span>' : ""}</div>${words}</li>`
}

function requestOf({ components }: Document, { requestBody }: Operation): string {
  const schema = bodyOf(requestBody)
  return schema ? `<h4>Body <span class="type">${typeOf(schema)}</span></h4>${fieldsOf(components.schemas, schema)}` : ""
}

function answersOf({ components }: Document, { responses }: Operation): string {
  const answers = Object.entries(responses).map(([status, answer]) => {
    const schema = bodyOf(answer)
    const isGood = status < "400"
    const kind = schema
      ? `<span class="type">${typeOf(schema)}</span>`
      : escaped(Object.keys(answer.content ?? {})[0] ?? "no body")
    const inside = isGood && schema ? fieldsOf(components.schemas, schema) : lines(answer.description)
    const headers = Object.entries(answer.headers ?? {}).map(
      ([name, { description = "" }]) =>
        `<li><div><code class="name">${escaped(name)}</code></div><p>${inline(description)}</p></li>`,
    )
    return `<details class="answer"${isGood ? " open" : ""}><summary><span class="status s${status[0]}">${status}</span> ${kind}</summary>${inside}${headers.length ? `<details class="headers"><summary>Its headers</summary><ul class="fields">${headers.join("")}</ul></details>` : ""}</details>`
  })
  return `<h4>Answers</h4>${answers.join("")}`
}

/** Codes and their words, one a line. */
const lines = (description: string) =>
  `<ul class="codes">${description
    .split("\n")
    .map((line) => `<li>${inline(line)}</li>`)
    .join("")}</ul>`

const quoted = (text: string) => text.replaceAll("'", "'\\''")

const isOpen = ({ security }: Operation) => security?.length === 0

function curl({ components }: Document, operation: Operation): string {
  const { method, path, requestBody } = operation
  const schema = bodyOf(requestBody)
  const parts = [
    `curl ${method === "GET" ? "" : `-X ${method} `}"$API${path.replace(/^\/api\/v1/, "").replace(/\{(\w+)\}/g, "$$$1")}"`,
    ...(isOpen(operation) ? [] : ['-H "Authorization: Bearer $KEY"']),
    ...(schema ? ['-H "Content-Type: application/json"'] : []),
    ...(schema ? [`-d '${quoted(JSON.stringify(exampleOf(components.schemas, schema), null, 2))}'`] : []),
  ]
  return `<figure class="code"><figcaption>curl</figcaption><button class="copy js" type="button">Copy</button><pre tabindex="0"><code>${escaped(parts.join(" \\\n  "))}</code></pre></figure>`
}

function tryIt({ components }: Document, { parameters = [], requestBody, operationId }: Operation): string {
  const schema = bodyOf(requestBody)
  const inputs = parameters
    .filter((parameter) => parameter.in !== "header")
    .map(
      ({ name, in: place, required }) =>
        `<label>${escaped(name)}<input name="${escaped(name)}" data-in="${place}"${required ? " required" : ""} autocomplete="off" spellcheck="false"></label>`,
    )
  const body = schema
    ? `<label>Body<textarea name="body" rows="8" spellcheck="false" aria-label="Body of ${escaped(operationId)}">${escaped(JSON.stringify(exampleOf(components.schemas, schema), null, 2))}</textarea></label>`
    : ""
  return `<details class="try js"><summary>Try it</summary><form>${inputs.join("")}${body}<button type="submit">Send</button><output></output></form></details>`
}
