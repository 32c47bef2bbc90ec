import { readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { parse } from "yaml"
import { as, shared } from "#test/app.ts"

const app = shared()

describe("GET /openapi.yaml", () => {
  test("200: anybody may read the document, which is the committed one", async () => {
    const { status, headers, body } = await as(app).send("GET /openapi.yaml")
    expect(status).toBe(200)
    expect(headers.get("content-type")).toBe("application/yaml")
    expect(body).toBe(readFileSync(new URL("../../openapi/openapi.yaml", import.meta.url), "utf8"))
    expect(parse(body)).toMatchObject({ openapi: "3.0.3" })
  })

  test("200: a key that is wrong does no harm", async () => {
    expect((await as(app, "ac_live_0000000000000000").send("GET /openapi.yaml")).status).toBe(200)
  })
})

describe("what has no route", () => {
  test.each([
    "GET /nothing",
    "GET /",
    "PUT /agents",
    "DELETE /account",
    "POST /tasks",
    "GET /openapi.json",
    "GET /agents/a/b/c/d",
  ])("404 not_found: %s is answered in the envelope of the API", async (call) => {
    const { status, headers, body } = await as(app).send(call)
    expect(status).toBe(404)
    expect(body).toEqual({
      error: { code: "not_found", message: "There is no such resource.", requestId: headers.get("x-request-id") },
    })
  })
})
