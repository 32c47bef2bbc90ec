import { describe, expect, test } from "vitest"
import { newAccount, shared } from "#test/app.ts"
import { items } from "#test/aws.ts"
import { claimedContainer, containerOf } from "#test/container.ts"
import { newAgent, newRepository, newSshKey, newTask } from "#test/make.ts"

const app = shared()
const account = await newAccount(app)

const mount = (repositoryId: string, mountingPoint: string) => ({ repositoryId, tag: "main", mountingPoint })

/** Dispatches a task and claims its run. */
const start = async (agentId: string, task: object = {}) => {
  const container = await containerOf(app, account.accountId, await newTask(account, agentId, task))
  const { body } = await container.claim()
  const read = () => container.get("sources")
  return { container, bundle: body.claim.bundle, read }
}

describe("GET /agent/tasks/{run_id}/sources", () => {
  test("200: what the version mounts and then the task's own, each with its keys, and skills in the same order", async () => {
    const [key, other] = [await newSshKey(account), await newSshKey(account)]
    const aliases = [{ name: "deploy", target: "bin/deploy" }]
    const website = await newRepository(account, { sshKeyId: key.id, aliases })
    const library = await newRepository(account, { name: "Library", url: "git@git.example.com:acme/library.git" })
    const agent = await newAgent(account, { skills: [{ skill: "acme/skills" }] })
    await account.send(`POST /agents/${agent.id}/repositories`, {
      repositories: [{ ...mount(website.id, "/workspace/code/"), setupScript: "setup.sh" }],
    })
    const skills = [{ skill: "git@git.example.com:acme/private.git", sshKeyId: other.id }]
    const { container, bundle, read } = await start(agent.id, { inputRepositories: [mount(library.id, "library")], skills })
    expect(bundle.has_sources).toBe(true)
    expect(container.task.skills).toEqual(skills)
    const { status, body } = await read()
    expect(status).toBe(200)
    const privateKey = expect.stringMatching(/^-----BEGIN OPENSSH PRIVATE KEY-----\n/)
    expect(body).toEqual({
      repositories: [
        {
          name: "Website",
          url: website.url,
          tag: "main",
          folder: "code",
          setup_script: "setup.sh",
          aliases,
          private_keys: [privateKey],
        },
        { name: "Library", url: library.url, tag: "main", folder: "library", setup_script: null, aliases: [], private_keys: [] },
      ],
      skills: [
        { skill: "acme/skills", ssh_key_id: null, private_key: null },
        { skill: skills[0]!.skill, ssh_key_id: other.id, private_key: privateKey },
      ],
    })
    expect(body.skills[1].private_key).not.toBe(body.repositories[0].private_keys[0])
    // Nothing of them is kept with the task, or said in the claim.
    expect(JSON.stringify([bundle, await items(app, `${account.accountId}#${container.task.id}`)])).not.toContain("PRIVATE KEY")
  })

  test("200: keys as they are attached now, whatever they were at the dispatch", async () => {
    const [old, fresh] = [await newSshKey(account), await newSshKey(account)]
    const { id: repositoryId } = await newRepository(account, { sshKeyId: old.id })
    const agent = await newAgent(account)
    const inputRepositories = [mount(repositoryId, "code")]
    const { read } = await start(agent.id, { inputRepositories, skills: [{ skill: "a/b", sshKeyId: old.id }] })
    const before = (await read()).body
    await account.send(`DELETE /ssh-keys/${old.id}`)
    await account.send(`POST /ssh-keys/${fresh.id}/repositories`, { repositoryId })
    const after = (await read()).body
    expect(after.repositories[0].private_keys.length).toBe(1)
    expect(after.repositories[0].private_keys).not.toEqual(before.repositories[0].private_keys)
    expect(after.skills).toEqual([{ skill: "a/b", ssh_key_id: old.id, private_key: null }])
  })

  test("200: a task keeps its repository when that is changed or deleted for everybody else", async () => {
    const { id: repositoryId, url } = await newRepository(account)
    const agent = await newAgent(account)
    await account.send(`POST /agents/${agent.id}/repositories`, { repositories: [mount(repositoryId, "code")] })
    const { read } = await start(agent.id)
    await account.send(`DELETE /agents/${agent.id}/repositories/${repositoryId}?mountingPoint=code`)
    expect((await account.send(`DELETE /repositories/${repositoryId}`)).status).toBe(204)
    expect((await read()).body.repositories).toMatchObject([{ url, folder: "code", private_keys: [] }])
  })

  test("200: nothing, and the bundle says so, where nothing was asked for", async () => {
    const { bundle, read } = await start((await newAgent(account)).id)
    expect([bundle.has_sources, (await read()).body]).toEqual([false, { repositories: [], skills: [] }])
  })

  test("409 lease_lost: no key leaves for a run that has ended", async () => {
    const container = await claimedContainer(app, account)
    await container.send("complete", { result: null })
    const { status, body } = await container.get("sources")
    expect([status, body.error.code]).toEqual([409, "lease_lost"])
  })
})

describe("POST /agents/{agentId}/tasks", () => {
  test("422 invalid_request: what would lie in one another, and what is gone", async () => {
    const { id: repositoryId } = await newRepository(account)
    const agent = await newAgent(account)
    await account.send(`POST /agents/${agent.id}/repositories`, { repositories: [mount(repositoryId, "code")] })
    const refusal = async (body: object) => {
      const answer = await account.send(`POST /agents/${agent.id}/tasks`, { instructions: "Work.", ...body })
      return [answer.status, answer.body.error?.issues?.map(({ path }: { path: string }) => path) ?? answer.body.error?.code]
    }
    expect(await refusal({ inputRepositories: [mount(repositoryId, "code/lib")] })).toEqual([
      422,
      ["inputRepositories.0.mountingPoint"],
    ])
    const versionId = (await account.send(`GET /agents/${agent.id}`)).body.currentVersion.id
    await account.send(`DELETE /agents/${agent.id}/repositories/${repositoryId}?mountingPoint=code`)
    await account.send(`DELETE /repositories/${repositoryId}`)
    expect(await refusal({ versionId })).toEqual([422, ["versionId"]])
  })
})
