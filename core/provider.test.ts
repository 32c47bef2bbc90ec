import { afterEach, describe, expect, test, vi } from "vitest"
import { Problem } from "./problem.ts"
import { addressOf } from "./provider.ts"

afterEach(() => vi.unstubAllEnvs())

const set = (name: string, value: string) => vi.stubEnv(name, value)

/** What the agent runtime asks the model proxy for. */
const paths = {
  anthropic: ["/v1/messages?beta=true"],
  openai: ["/v1/responses"],
  openrouter: ["/api/v1/chat/completions", "/api/v1/messages?beta=true"],
}

const addresses = (provider: keyof typeof paths) => paths[provider].map((path) => addressOf({ provider, path, method: "POST" }))

describe("without a setting", () => {
  test.each([
    ["anthropic", ["https://api.anthropic.com/v1/messages?beta=true"]],
    ["openai", ["https://api.openai.com/v1/responses"]],
    ["openrouter", ["https://openrouter.ai/api/v1/chat/completions", "https://openrouter.ai/api/v1/messages?beta=true"]],
  ] as const)("%s is asked at its own address", (provider, expected) => {
    expect(addresses(provider)).toEqual(expected)
  })
})

describe("with the address as users of the provider write it", () => {
  test.each([
    ["http://localhost:8080", "http://localhost:8080/v1/messages?beta=true"],
    ["http://localhost:8080/", "http://localhost:8080/v1/messages?beta=true"],
    ["http://localhost:8080/v1", "http://localhost:8080/v1/messages?beta=true"],
    ["http://localhost:8080/v1/", "http://localhost:8080/v1/messages?beta=true"],
    ["https://proxy.example/anthropic", "https://proxy.example/anthropic/v1/messages?beta=true"],
    ["https://proxy.example/anthropic/v1", "https://proxy.example/anthropic/v1/messages?beta=true"],
  ])("ANTHROPIC_BASE_URL=%s", (value, expected) => {
    set("ANTHROPIC_BASE_URL", value)
    expect(addresses("anthropic")).toEqual([expected])
  })

  test.each([
    ["http://localhost:8080", "http://localhost:8080/v1/responses"],
    ["http://localhost:8080/", "http://localhost:8080/v1/responses"],
    ["http://localhost:8080/v1", "http://localhost:8080/v1/responses"],
    ["http://localhost:8080/v1/", "http://localhost:8080/v1/responses"],
    ["https://proxy.example/openai/v1", "https://proxy.example/openai/v1/responses"],
    ["https://other.example/v1beta/openai", "https://other.example/v1beta/openai/responses"],
  ])("OPENAI_BASE_URL=%s", (value, expected) => {
    set("OPENAI_BASE_URL", value)
    expect(addresses("openai")).toEqual([expected])
  })

  test.each([
    ["http://localhost:8080", "http://localhost:8080/api/v1"],
    ["http://localhost:8080/api", "http://localhost:8080/api/v1"],
    ["http://localhost:8080/api/", "http://localhost:8080/api/v1"],
    ["http://localhost:8080/api/v1", "http://localhost:8080/api/v1"],
    ["http://localhost:8080/api/v1/", "http://localhost:8080/api/v1"],
    ["http://localhost:8080/v1", "http://localhost:8080/v1"],
    ["https://proxy.example/router", "https://proxy.example/router"],
  ])("OPENROUTER_BASE_URL=%s holds for both of its wire formats", (value, base) => {
    set("OPENROUTER_BASE_URL", value)
    expect(addresses("openrouter")).toEqual([`${base}/chat/completions`, `${base}/messages?beta=true`])
  })
})

describe("a setting that is no address", () => {
  test("is named", () => {
    set("OPENAI_BASE_URL", "localhost")
    expect(() => addresses("openai")).toThrow(
      expect.objectContaining({
        code: "provider_unreachable",
        extra: { provider: "openai", reason: "OPENAI_BASE_URL is not a URL" },
      }),
    )
    expect(() => addresses("openai")).toThrow(Problem)
  })
})
