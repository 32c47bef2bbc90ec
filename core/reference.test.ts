import { readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { parse } from "yaml"
import { as, shared } from "#test/app.ts"
import { render } from "./reference.ts"
import type { Document } from "./reference-operation.ts"

const app = shared()
const document = parse(readFileSync(new URL("../openapi/openapi.yaml", import.meta.url), "utf8")) as Document
const page = await as(app).send("GET /docs")

describe("the reference", () => {
  test("is a page that needs no key, at its own address and at the root", async () => {
    expect(page.status).toBe(200)
    expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8")
    expect(await (await fetch(app.apiUrl)).text()).toBe(page.body)
  })

  test("has every operation and every schema of the document, and every link within it leads somewhere", () => {
    const ids = new Set([...page.body.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id))
    const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods))
    for (const { operationId } of operations) expect(ids).toContain(operationId)
    for (const name of Object.keys(document.components.schemas)) expect(ids).toContain(`schema-${name}`)
    for (const [, target] of page.body.matchAll(/href="#([^"]+)"/g)) expect(ids).toContain(target)
  })

  test("asks nobody else for anything, and may not", () => {
    expect(page.body).not.toMatch(/(src|href)="(https?:)?\/\//)
    expect(page.headers.get("content-security-policy")).toMatch(
      /^default-src 'none'; style-src 'sha256-\S+'; script-src 'sha256-\S+';/,
    )
  })

  test("shows a call that can be copied, with the documented example", () => {
    expect(page.body).toContain("curl -X POST &quot;$API/agents&quot; \\\n  -H &quot;Authorization: Bearer $KEY&quot;")
    expect(page.body).toContain("&quot;containerImage&quot;: &quot;debian:12&quot;")
  })

  test("takes no word of the document for markup", () => {
    const hostile = structuredClone(document)
    hostile.info.title = "<script>alert(1)</script>"
    hostile.components.schemas["<img>"] = { description: "`<b>`", properties: { "<i>": { enum: ["<u>"] } } }
    const html = render({ document: hostile, style: "", script: "" })
    expect(html).not.toMatch(/<script>alert|<img>|<b>|<i>|<u>/)
  })
})
