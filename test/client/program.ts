import createClient from "openapi-fetch"
import type { components, paths } from "./schema.ts"

// What a customer's program does with a client of the document, from an agent to its task. `schema.ts` is generated where
// client.test.ts checks and runs this.

const { API_URL, API_KEY } = process.env
const client = createClient<paths>({ baseUrl: API_URL!, headers: { authorization: `Bearer ${API_KEY}` } })

interface Answered<Data> {
  data?: Data
  error?: components["schemas"]["Error"]
}

const got = <Data>({ data, error }: Answered<Data>): Data => {
  if (!data) throw new Error(error?.error.message)
  return data
}

const agent = got(
  await client.POST("/api/v1/agents", {
    body: {
      name: "Reporter",
      runtime: { containerImage: "debian:12", agentRuntime: "pi" },
      basePrompt: "You write short, exact reports.",
      defaults: {
        provider: "anthropic",
        providerApiKey: "sk-test-key-of-the-customer",
        model: "claude-sonnet-4-5",
        internetAccess: true,
        maxRuntimeSeconds: 600,
        outputPolicy: { mode: "named", files: [{ name: "report.md" }] },
        runtimeRegion: "any",
      },
    },
  }),
)

const bytes = "a,b\n1,2\n"
const upload = got(
  await client.POST("/api/v1/uploads/prepare", { body: { filename: "data.csv", sizeBytes: Buffer.byteLength(bytes) } }),
)
await fetch(upload.uploadUrl, { method: upload.method, headers: upload.headers, body: bytes })
const file = got(await client.POST("/api/v1/uploads/complete", { body: { uploadId: upload.uploadId } }))

const repository = got(
  await client.POST("/api/v1/repositories", { body: { name: "Website", url: "https://git.example.com/acme/website.git" } }),
)

const { id: taskId } = got(
  await client.POST("/api/v1/agents/{agentId}/tasks", {
    params: { path: { agentId: agent.id }, header: { "Idempotency-Key": "one" } },
    body: {
      instructions: "Write the report.",
      inputFileIds: [file.id],
      inputRepositories: [{ repositoryId: repository.id, tag: "main", mountingPoint: "website" }],
      metadata: { ticket: 17 },
    },
  }),
)
const task = got(await client.GET("/api/v1/tasks/{taskId}", { params: { path: { taskId } } }))
const error: string | null = task.error
const { data, pageInfo } = got(await client.GET("/api/v1/tasks", { params: { query: { mode: "autonomous", limit: 10 } } }))
const missing = await client.GET("/api/v1/tasks/{taskId}", { params: { path: { taskId: "tsk_of_nobody" } } })

console.log(
  JSON.stringify({
    agent: agent.currentVersion.defaults.outputPolicy,
    file: file.filename,
    repository: repository.sshKeys,
    task: { agentId: task.agentId === agent.id, metadata: task.metadata, error },
    list: { ids: data.map(({ id }) => id === taskId), hasMore: pageInfo.hasMore },
    missing: missing.error?.error.code,
  }),
)
