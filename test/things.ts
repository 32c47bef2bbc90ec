import type { App, newAccount } from "./app.ts"
import { claimedContainer, storeOutput } from "./container.ts"
import { newAgent, newFile, newRepository, newSshKey, newUpload } from "./make.ts"
import { bodyOf, type Operation } from "./random/document.ts"

type Account = Awaited<ReturnType<typeof newAccount>>

/** Ids by their names in paths and bodies. */
export type Ids = Record<string, string>

/** What an id in a route is of: two kinds of things may have the same name in a path, and one has another name in a body. */
export const thingOf = ({ name }: { name: string }, id: string) => {
  if (id === "fileId" && name.includes("/tasks/")) return "outputId"
  return id === "inputFileId" ? "fileId" : id
}

/** Ids that no account has. */
export const unknown: Ids = new Proxy({}, { get: (_, name: string) => `${name}_that_nobody_has` })

/** An agent, and where one is wanted a task of it at work with something that it has put out. */
const makeAgent = async (app: App, account: Account, names: ReadonlySet<string>): Promise<Ids> => {
  if (!names.has("taskId") && !names.has("outputId")) {
    const { id: agentId, currentVersion } = await newAgent(account)
    return { agentId, versionId: currentVersion.id }
  }
  const container = await claimedContainer(app, account, { conversation: {} })
  const { agentId, agentVersionId: versionId, id: taskId } = container.task
  return { agentId, versionId, taskId, outputId: await storeOutput(container, "report.md", Buffer.from("x")) }
}

const makeContainer = async (_: App, account: Account): Promise<Ids> => {
  const { body } = await account.send("POST /containers", { name: "Tools", containerImage: "debian:12" })
  return { containerId: body.id, containerVersionId: body.currentVersion.id }
}

const makeWebhook = async (_: App, account: Account): Promise<Ids> => {
  const target = { url: "https://hooks.example.com/", eventTypes: ["task.woken"] }
  const { webhook } = (await account.send("POST /webhooks", target)).body
  return { webhookId: webhook.id, deliveryId: (await account.send(`POST /webhooks/${webhook.id}/test`)).body.id }
}

const makeKey = async (_: App, account: Account): Promise<Ids> => ({
  keyId: (await account.send("POST /api-keys", { name: "Second" })).body.apiKey.id,
})

/** How things come to be that an account owns, by the names of their ids in paths and bodies. */
const makers: [string[], (app: App, account: Account, names: ReadonlySet<string>) => Promise<Ids>][] = [
  [["agentId", "versionId", "taskId", "outputId"], makeAgent],
  [["containerId", "containerVersionId"], makeContainer],
  [["webhookId", "deliveryId"], makeWebhook],
  [["keyId"], makeKey],
  [["fileId"], async (_, account) => ({ fileId: (await newFile(account)).id })],
  [["uploadId"], async (_, account) => ({ uploadId: await newUpload(account) })],
  [["sshKeyId"], async (_, account) => ({ sshKeyId: (await newSshKey(account)).id })],
  [["repositoryId"], async (_, account) => ({ repositoryId: (await newRepository(account)).id })],
]

/** One of each kind of thing that is named. */
export const makeThings = async (
  app: App,
  account: Account,
  names: ReadonlySet<string> = new Set(makers.flatMap(([made]) => made)),
): Promise<Ids> => {
  const needed = makers.filter(([made]) => made.some((name) => names.has(name)))
  return Object.assign({}, ...(await Promise.all(needed.map(([, make]) => make(app, account, names)))))
}

interface Parts {
  query?: Record<string, string>
  body?: unknown
}

/** A documented request about these things: its example, unless it has another body. */
export function requestAbout(operation: Operation, ids: Ids, { query = {}, body }: Parts = {}): [string, unknown] {
  const path = operation.name.replace(/\{(\w+)\}/g, (_, name: string) => ids[thingOf(operation, name)]!)
  const required = operation.parameters.filter((each) => each.in === "query" && each.required)
  const search = new URLSearchParams({
    ...Object.fromEntries(required.map(({ name }) => [name, "website"])),
    ...query,
  }).toString()
  return [search ? `${path}?${search}` : path, body ?? aboutOwn(bodyOf(operation)?.example, ids)]
}

/** A value in which ids stand for these things, and names of ids for lists of one. */
export const aboutOwn = (value: unknown, ids: Ids): unknown =>
  value &&
  (JSON.parse(JSON.stringify(value), (name, part) => {
    const own = ids[name.replace(/s$/, "")]
    if (own === undefined) return part
    return Array.isArray(part) ? [own] : own
  }) as unknown)
