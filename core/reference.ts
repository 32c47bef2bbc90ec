import { createHash } from "node:crypto"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { setting } from "./aws.ts"
import { escaped, prose } from "./reference-html.ts"
import { type Document, type Operation, operationSection } from "./reference-operation.ts"
import { fieldsOf, type Schema } from "./reference-schema.ts"

/** The API's description as a page for people: made of the same document, and whole without a script. */

interface Parts {
  document: Document
  style: string
  script: string
}

let made: Promise<string> | undefined
let policy = ""

/** The page, as it is sent. */
export async function page() {
  made ??= load().then((parts) => {
    policy = policyOf(parts)
    return render(parts)
  })
  const body = await made
  return {
    status: 200,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "cache-control": "public, max-age=300",
      "content-security-policy": policy,
      "x-content-type-options": "nosniff",
    },
    body,
  }
}

async function load(): Promise<Parts> {
  const read = (file: string) => readFile(join(setting("LAMBDA_TASK_ROOT"), file), "utf8")
  const [document, style, script] = await Promise.all(["openapi.json", "style.css", "script.js"].map(read))
  return { document: JSON.parse(document!) as Document, style: style!, script: script! }
}

const hashOf = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`

/** Nothing but the page's own style and script, and requests to the API that it lies beside. */
const policyOf = ({ style, script }: Parts) =>
  `default-src 'none'; style-src ${hashOf(style)}; script-src ${hashOf(script)}; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`

/** Operations by their group, in the order of the document. */
function groupsOf({ paths }: Document): [string, Operation[]][] {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): Operation => ({ ...operation, method: method.toUpperCase(), path })),
  )
  return [...Map.groupBy(operations, ({ tags }) => tags[0] ?? "other")].sort(([a], [b]) => (a < b ? -1 : 1))
}

const titleOf = (tag: string) => tag.charAt(0).toUpperCase() + tag.slice(1).replaceAll("-", " ")

/** The whole page. */
export function render({ document, style, script }: Parts): string {
  const groups = groupsOf(document)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escaped(document.info.title)} API reference</title>
<style>${style}</style>
</head>
<body>
<a class="skip" href="#content">To the content</a>
${navigation(document, groups)}
<main id="content">
${introduction(document)}
${groups.map(([tag, operations]) => group(document, tag, operations)).join("\n")}
${schemas(document)}
</main>
<script>${script}</script>
</body>
</html>
`
}

const navigation = ({ info, components }: Document, groups: [string, Operation[]][]) => `<nav aria-label="Reference">
<details class="menu" open>
<summary><strong>${escaped(info.title)}</strong> <span>API ${escaped(info.version)}</span></summary>
<label class="find js"><span class="hidden">Find</span><input type="search" placeholder="Find an operation" autocomplete="off"></label>
<ul><li><a href="#start">Start here</a></li></ul>
${groups.map(([tag, operations]) => `<h2>${escaped(titleOf(tag))}</h2>\n<ul>${operations.map(entry).join("")}</ul>`).join("\n")}
<h2>Schemas</h2>
<ul>${Object.keys(components.schemas).map(schemaEntry).join("")}</ul>
</details>
</nav>`

const entry = ({ operationId, method, summary, path }: Operation) =>
  `<li data-find="${escaped(`${method} ${path} ${summary}`.toLowerCase())}"><a href="#${escaped(operationId)}"><span class="method ${method.toLowerCase()}">${method}</span> ${escaped(summary)}</a></li>`

const schemaEntry = (name: string) =>
  `<li data-find="${escaped(name.toLowerCase())}"><a href="#schema-${escaped(name)}">${escaped(name)}</a></li>`

const introduction = ({ info }: Document) => `<header id="start">
<h1>${escaped(info.title)} <small>API reference</small></h1>
<div class="columns">
<div>
${prose(info.description ?? "")}
<dl class="facts">
<dt>Keys</dt><dd>Every request carries <code>Authorization: Bearer ac_live_…</code>.</dd>
<dt>Errors</dt><dd><code>{"error": {"code", "message", "requestId"}}</code>: program against the code, and name the request's id when you ask for help. A request that is not valid is a 422 with all that is wrong in <code>issues</code>.</dd>
<dt>Pages</dt><dd>Lists answer <code>data</code> and <code>pageInfo</code>; give <code>nextCursor</code> back as <code>cursor</code>. Pages hold still while others write.</dd>
<dt>Sending again</dt><dd>With an <code>Idempotency-Key</code> a POST takes effect once, however often it is sent.</dd>
<dt>Changing together</dt><dd>Send the <code>ETag</code> that you have read as <code>If-Match</code>: a change of what has changed meanwhile is refused.</dd>
<dt>Rates</dt><dd><code>RateLimit</code> says what is left to your key; after a 429 wait for <code>Retry-After</code> seconds.</dd>
<dt>The document</dt><dd><a href="/api/v1/openapi.yaml">openapi.yaml</a>, from which this page and clients are made.</dd>
</dl>
</div>
<div class="aside">
<figure class="code"><figcaption>Once, in your shell</figcaption><button class="copy js" type="button">Copy</button><pre><code>export API=<span class="origin">http://localhost:3000</span>/api/v1
export KEY=ac_live_…</code></pre></figure>
<form class="key js"><label>Your API key, for trying things here<input type="password" name="key" placeholder="ac_live_…" autocomplete="off" spellcheck="false"></label><p>Kept in this tab alone, and sent to this API alone.</p></form>
</div>
</div>
</header>`

const group = (
  document: Document,
  tag: string,
  operations: Operation[],
) => `<section class="group" aria-labelledby="group-${escaped(tag)}">
<h2 id="group-${escaped(tag)}">${escaped(titleOf(tag))}</h2>
${operations.map((operation) => operationSection(document, operation)).join("\n")}
</section>`

const schemas = (document: Document) => `<section class="group" aria-labelledby="schemas">
<h2 id="schemas">Schemas</h2>
${Object.entries(document.components.schemas)
  .map(([name, schema]) => schemaSection(document.components.schemas, name, schema))
  .join("\n")}
</section>`

const schemaSection = (
  all: Record<string, Schema>,
  name: string,
  schema: Schema,
) => `<article class="schema" id="schema-${escaped(name)}">
<h3><a href="#schema-${escaped(name)}">${escaped(name)}</a></h3>
${prose(schema.description ?? "")}
${fieldsOf(all, schema)}
</article>`
