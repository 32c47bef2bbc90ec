import { randomUUID } from "node:crypto"
import { describe, expect, test } from "vitest"
import { newAccount, shared } from "#test/app.ts"
import { items } from "#test/aws.ts"
import { type Container, claimedContainer, containerOf } from "#test/container.ts"
import { loseAnswer } from "#test/idempotency.ts"
import { newAgent, newConversation, newRepository, newSshKey } from "#test/make.ts"

const app = shared()
const account = await newAccount(app, { creditUsd: 100 })
const other = await newAccount(app)

const mount = (repositoryId: string, mountingPoint: string, more: object = {}) => ({
  repositoryId,
  tag: "main",
  mountingPoint,
  ...more,
})
const attach = ({ task }: Pick<Container, "task">, ...repositories: object[]) =>
  account.send(`POST /conversations/${task.id}/repositories`, { repositories })
const listed = async ({ task }: Pick<Container, "task">, query = "") =>
  (await account.send(`GET /conversations/${task.id}/repositories${query}`)).body
const foldersOf = (mounts: { mountingPoint: string }[]) => mounts.map(({ mountingPoint }) => mountingPoint)
const sourcesOf = async (container: Container) => (await container.get("sources")).body.repositories
const read = async ({ task }: Container) => (await account.send(`GET /tasks/${task.id}`)).body
const eventsOf = ({ task }: Container) => items(app, `${account.accountId}#${task.id}`, "event#")
const refusalOf = ({ status, body }: Awaited<ReturnType<typeof attach>>) => [
  status,
  body.error.code,
  ...(body.error.issues ?? []).map(({ path }: { path: string }) => path),
]

/** A conversation whose agent has had its say and whose container is gone. */
const waiting = async () => {
  const container = await claimedContainer(app, account, { conversation: {} })
  await container.send("turns/complete", { turn_number: 1 })
  await container.send("release", { to: "await_input" })
  return container
}

/** A conversation whose agent mounts `code` and which was begun with `vendor`. */
const mounting = async () => {
  const { id: agentId } = await newAgent(account)
  const { id } = await newRepository(account)
  await account.send(`POST /agents/${agentId}/repositories`, { repositories: [mount(id, "code")] })
  const conversation = await newConversation(account, agentId, { inputRepositories: [mount(id, "vendor")] })
  return { id, task: conversation.task }
}

describe("POST /conversations/{taskId}/repositories", () => {
  test("201: a conversation that waits goes on waiting, and its next container clones them", async () => {
    const container = await waiting()
    const key = await newSshKey(account)
    const repository = await newRepository(account, { sshKeyId: key.id })
    const [before, events] = [await read(container), await eventsOf(container)]
    const { status, body } = await attach(container, mount(repository.id, "/workspace/code/", { setupScript: "setup.sh" }))
    const attached = { ...repository, tag: "main", mountingPoint: "/workspace/code/", setupScript: "setup.sh" }
    expect([status, body]).toEqual([201, [attached]])
    expect((await listed(container)).data).toEqual([attached])
    expect(await read(container)).toEqual(before)
    expect(await eventsOf(container)).toEqual(events)

    await account.send(`POST /conversations/${container.task.id}/messages`, { content: "Look at it." })
    const next = await containerOf(app, account.accountId, container.task, 2)
    expect((await next.claim()).body.claim.bundle.has_sources).toBe(true)
    expect(await sourcesOf(next)).toEqual([
      {
        name: repository.name,
        url: repository.url,
        tag: "main",
        folder: "code",
        setup_script: "setup.sh",
        aliases: [],
        private_keys: [expect.stringContaining("PRIVATE KEY")],
      },
    ])
  })

  test("201: a container at work hears nothing of it, and finds them when it asks for its next turn", async () => {
    const container = await claimedContainer(app, account, { conversation: {} })
    const { id } = await newRepository(account)
    expect((await attach(container, mount(id, "code"))).status).toBe(201)
    expect((await container.send("heartbeat", {})).body.signals).toEqual([])
    expect((await sourcesOf(container)).map(({ folder }: { folder: string }) => folder)).toEqual(["code"])
  })

  test("its own are listed, whether it was begun with them or they came later, by mounting point and in pages; its agent's are not", async () => {
    const { id, task } = await mounting()
    expect(foldersOf((await listed({ task })).data)).toEqual(["vendor"])
    await attach({ task }, mount(id, "b"), mount(id, "z"))
    const answer = await attach({ task }, mount(id, "a"))
    expect(foldersOf(answer.body)).toEqual(["a"])
    const first = await listed({ task }, "?limit=2")
    const second = await listed({ task }, `?limit=2&cursor=${first.pageInfo.nextCursor}`)
    expect([foldersOf(first.data), foldersOf(second.data)]).toEqual([
      ["a", "b"],
      ["vendor", "z"],
    ])
    expect(second.pageInfo).toEqual({ hasMore: false, nextCursor: null })
  })

  test("its own stay the same, whatever its agent mounts by then", async () => {
    const { id, task } = await mounting()
    const before = (await listed({ task })).data
    await account.send(`POST /agents/${task.agentId}/repositories`, { repositories: [mount(id, "more")] })
    await account.send(`DELETE /agents/${task.agentId}/repositories/${id}?mountingPoint=code`)
    expect((await listed({ task })).data).toEqual(before)
  })

  test("422 invalid_request: where its agent, its beginning or an attachment has something already, and all or nothing", async () => {
    const { id, task } = await mounting()
    await attach({ task }, mount(id, "own"))
    for (const taken of ["code", "vendor/lib", "own"])
      expect(refusalOf(await attach({ task }, mount(id, "free"), mount(id, taken)))).toEqual([
        422,
        "invalid_request",
        "repositories.1.mountingPoint",
      ])
    const { id: foreign } = await newRepository(other)
    const missing = [422, "invalid_request", "repositories.0.repositoryId"]
    expect(refusalOf(await attach({ task }, mount(foreign, "free")))).toEqual(missing)
    const many = Array.from({ length: 18 }, (_, i) => mount(id, `f${i}`))
    expect(refusalOf(await attach({ task }, ...many))).toEqual([422, "invalid_request", "repositories"])
    expect(foldersOf((await listed({ task })).data)).toEqual(["own", "vendor"])
  })

  test("a repository that was deleted since is shown as it was mounted, without its keys, for it keeps its place and is cloned", async () => {
    const container = await waiting()
    const { id: sshKeyId } = await newSshKey(account)
    const repository = await newRepository(account, { sshKeyId, aliases: [{ name: "deploy", target: "bin/deploy" }] })
    const answer = await attach(container, mount(repository.id, "lib", { setupScript: "setup.sh" }))
    expect((await account.send(`DELETE /repositories/${repository.id}`)).status).toBe(204)
    const kept = { ...answer.body[0], sshKeys: [] }
    expect((await listed(container)).data).toEqual([kept])

    const { id: another } = await newRepository(account)
    expect(refusalOf(await attach(container, mount(another, "lib")))).toEqual([
      422,
      "invalid_request",
      "repositories.0.mountingPoint",
    ])
    await account.send(`POST /conversations/${container.task.id}/messages`, { content: "Look at it." })
    const next = await containerOf(app, account.accountId, container.task, 2)
    await next.claim()
    expect(await sourcesOf(next)).toMatchObject([{ name: kept.name, url: kept.url, folder: "lib", private_keys: [] }])
  })

  test("201: a request that comes again answers what it has mounted, though that was deleted since", async () => {
    const { task } = await mounting()
    const { id } = await newRepository(account)
    const key = randomUUID()
    const body = { repositories: [mount(id, "lib")] }
    const send = () => account.send(`POST /conversations/${task.id}/repositories`, body, { "idempotency-key": key })
    const first = await send()
    await loseAnswer(app, account.accountId, key)
    await account.send(`DELETE /repositories/${id}`)
    const again = await send()
    expect([again.status, again.body]).toEqual([201, first.body])
  })

  test("one that it was begun with is shown as well when it was deleted since", async () => {
    const { id: agentId } = await newAgent(account)
    const repository = await newRepository(account)
    const { task } = await newConversation(account, agentId, { inputRepositories: [mount(repository.id, "lib")] })
    const before = (await listed({ task })).data
    await account.send(`DELETE /repositories/${repository.id}`)
    expect((await listed({ task })).data).toEqual(before)
  })

  test("of several at once none is lost", async () => {
    const { id, task } = await mounting()
    const folders = ["a", "b", "c", "d"]
    const answers = await Promise.all(folders.map((folder) => attach({ task }, mount(id, folder))))
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201])
    expect(foldersOf((await listed({ task })).data)).toEqual([...folders, "vendor"])
  })

  test("422 task_ended: one that is being cancelled, though its container still saves what it has", async () => {
    const container = await claimedContainer(app, account, { conversation: {} })
    const { id } = await newRepository(account)
    await account.send(`POST /tasks/${container.task.id}/cancel`)
    expect(await read(container)).toMatchObject({ status: "running", statusReason: "cancelling" })
    expect(refusalOf(await attach(container, mount(id, "code")))).toEqual([422, "task_ended"])
    expect((await listed(container)).data).toEqual([])
  })

  test("422 task_ended, and 404 conversation_not_found: what has ended, and what is no conversation", async () => {
    const container = await waiting()
    const { id } = await newRepository(account)
    await account.send(`POST /tasks/${container.task.id}/cancel`)
    expect(refusalOf(await attach(container, mount(id, "code")))).toEqual([422, "task_ended"])
    const oneShot = await claimedContainer(app, account)
    expect(refusalOf(await attach(oneShot, mount(id, "code")))).toEqual([404, "conversation_not_found"])
    expect(await listed(oneShot)).toMatchObject({ error: { code: "conversation_not_found" } })
  })
})
