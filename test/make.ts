import type { Caller } from "./app.ts"

/** Valid things, with whatever a test wants to be different. */

export const agentBody = (overrides: object = {}) => ({
  name: "Reporter",
  runtime: { containerImage: "debian:12", agentRuntime: "pi" },
  basePrompt: "You write short, exact reports.",
  defaults: defaults(),
  ...overrides,
})

export const defaults = (overrides: object = {}) => ({
  provider: "anthropic",
  providerApiKey: "sk-test-key-of-the-customer",
  model: "claude-sonnet-4-5",
  internetAccess: true,
  maxRuntimeSeconds: 600,
  outputPolicy: { mode: "any" },
  runtimeRegion: "any",
  ...overrides,
})

/** Makes an agent through the API and answers it. */
export const newAgent = async (caller: Caller, overrides: object = {}) => {
  const { status, body } = await caller.send("POST /agents", agentBody(overrides))
  if (status !== 201) throw new Error(`The agent was refused: ${status} ${JSON.stringify(body)}`)
  return body
}

/** Dispatches a task through the API and answers it. */
export const newTask = async (caller: Caller, agentId: string, overrides: object = {}) => {
  const { status, body } = await caller.send(`POST /agents/${agentId}/tasks`, { instructions: "Write the report.", ...overrides })
  if (status !== 201) throw new Error(`The task was refused: ${status} ${JSON.stringify(body)}`)
  return body
}

/** Adds a repository through the API and answers it. */
export const newRepository = async (caller: Caller, overrides: object = {}) => {
  const { status, body } = await caller.send("POST /repositories", {
    name: "Website",
    url: "https://git.example.com/acme/website.git",
    ...overrides,
  })
  if (status !== 201) throw new Error(`The repository was refused: ${status} ${JSON.stringify(body)}`)
  return body
}

/** Makes an SSH key through the API and answers it. */
export const newSshKey = async (caller: Caller) => {
  const { status, body } = await caller.send("POST /ssh-keys", { name: "Deploy key" })
  if (status !== 201) throw new Error(`The key was refused: ${status} ${JSON.stringify(body)}`)
  return body
}
