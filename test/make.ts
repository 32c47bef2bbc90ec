import type { Answer, Caller } from "./app.ts"

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

/** Begins a conversation through the API and answers its task and its first message. */
export const newConversation = async (caller: Caller, agentId: string, overrides: object = {}) => {
  const body = { instructions: "Help with the garden.", message: "Which flowers bloom now?", ...overrides }
  const answer = await caller.send(`POST /agents/${agentId}/conversations`, body)
  if (answer.status !== 201) throw new Error(`The conversation was refused: ${answer.status} ${JSON.stringify(answer.body)}`)
  return answer.body
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

/** Sends bytes to where `POST /uploads/prepare` said, as it said. Their length, which may be another, is told by `fetch`. */
export const put = ({ body }: Answer, bytes: string | Uint8Array) => {
  const { "content-length": _, ...headers } = body.headers
  return fetch(body.uploadUrl, { method: body.method, headers, body: Buffer.from(bytes) })
}

/** Prepares an upload and sends its bytes; answers its id. */
export const newUpload = async (
  caller: Caller,
  bytes: string | Uint8Array = "a,b\n1,2\n",
  announced: object = {},
): Promise<string> => {
  const prepared = await caller.send("POST /uploads/prepare", {
    filename: "data.csv",
    sizeBytes: Buffer.byteLength(bytes),
    ...announced,
  })
  if (prepared.status !== 201) throw new Error(`The upload was refused: ${prepared.status} ${JSON.stringify(prepared.body)}`)
  const stored = await put(prepared, bytes)
  if (stored.status !== 200) throw new Error(`S3 refused the upload: ${stored.status} ${await stored.text()}`)
  return prepared.body.uploadId
}

/** Uploads a file and answers it. */
export const newFile = async (caller: Caller, bytes?: string | Uint8Array, announced?: object) => {
  const uploadId = await newUpload(caller, bytes, announced)
  const { status, body } = await caller.send("POST /uploads/complete", { uploadId })
  if (status !== 201) throw new Error(`The upload was not completed: ${status} ${JSON.stringify(body)}`)
  return body
}
