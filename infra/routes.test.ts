import { describe, expect, test } from "vitest"
import { routesOf } from "./routes.ts"
import type { Document } from "./sources.ts"

const files = ["api/agents", "api/tasks", "api/openapi", "agent/tasks", "agent/outputs", "gateway/models"]
const nothing: Document = { paths: {} }

const routesOfApi = (paths: Document["paths"]) => routesOf({ api: { paths }, agent: nothing }, files)
const routesOfAgent = (paths: Document["paths"]) => routesOf({ api: nothing, agent: { paths } }, files)

describe("routesOf", () => {
  test("the last segment that is the name of a file says which function answers", () => {
    const routes = routesOfApi({
      "/api/v1/agents/{agentId}": { get: {} },
      "/api/v1/agents/{agentId}/tasks": { get: {} },
      "/api/v1/tasks/{taskId}/cancel": { post: {} },
      "/api/v1/openapi.yaml": { get: {} },
    })

    expect(routes.map(({ method, path, file }) => `${method} ${path} ${file}`)).toEqual([
      "GET /v1/agents/{agentId} api/agents",
      "GET /v1/agents/{agentId}/tasks api/tasks",
      "POST /v1/tasks/{taskId}/cancel api/tasks",
      "GET /v1/openapi.yaml api/openapi",
    ])
  })

  test("what is below /agent is looked for among the agent's functions and the gateway's", () => {
    const routes = routesOfAgent({ "/api/agent/tasks/{run_id}/outputs/prepare": { post: {} } })

    expect(routes).toEqual([
      { method: "POST", path: "/agent/tasks/{run_id}/outputs/prepare", file: "agent/outputs", streaming: false },
    ])
  })

  test("a proxy takes the rest of the path by any method", () => {
    const marks = { "x-dormouse-proxy": true, "x-dormouse-streaming": true }

    expect(routesOfAgent({ "/api/agent/models/{provider}/{proxy}": { post: marks } })).toEqual([
      { method: "ANY", path: "/agent/models/{provider}/{proxy+}", file: "gateway/models", streaming: true },
    ])
  })

  test("what is said of a path as a whole is no method", () => {
    expect(routesOfApi({ "/api/v1/tasks": { parameters: {}, get: {} } })).toHaveLength(1)
  })

  test("a path that no file answers is refused", () => {
    expect(() => routesOfApi({ "/api/v1/webhooks": { get: {} } })).toThrow(/functions\/api.*\/v1\/webhooks/)
  })

  test("a path of the other document is refused", () => {
    expect(() => routesOfApi({ "/api/agent/tasks": { get: {} } })).toThrow("/api/agent/tasks is not below /api/v1")
  })
})
