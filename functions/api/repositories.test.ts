import { describe, expect, test } from "vitest"
import { type Caller, newAccount, shared } from "#test/app.ts"
import { hostile } from "#test/hostile.ts"
import { agentBody, newAgent, newRepository, newSshKey } from "#test/make.ts"

const app = shared()
const account = await newAccount(app)
const other = await newAccount(app)

const issuesOf = ({ body }: { body: { error: { issues: { path: string }[] } } }) => body.error.issues.map(({ path }) => path)

const mount = (repositoryId: string, mountingPoint: string, more: object = {}) => ({
  repositoryId,
  tag: "main",
  mountingPoint,
  ...more,
})

const attach = (caller: Caller, agentId: string, ...repositories: object[]) =>
  caller.send(`POST /agents/${agentId}/repositories`, { repositories })

const caller = await newAccount(app)
const mounting = await newAgent(caller)
const mounted = await newRepository(caller)
const valid = { name: "x", url: "https://git.example.com/acme/x.git" }
const attaching = (more: object): [string, object] => [
  `POST /agents/${mounting.id}/repositories`,
  { repositories: [mount(mounted.id, "code", more)] },
]

const mountsOf = async (caller: Caller, agentId: string) =>
  (await caller.send(`GET /agents/${agentId}/repositories`)).body.data.map(
    ({ id, mountingPoint }: { id: string; mountingPoint: string }) => [mountingPoint, id],
  )

describe("POST /repositories", () => {
  test("201: answers it whole, with its key", async () => {
    const key = await newSshKey(account)
    const given = {
      name: "Website",
      url: "git@git.example.com:acme/website.git",
      postCloneScriptPath: "scripts/setup.sh",
      aliases: [{ name: "deploy", target: "bin/deploy" }],
    }
    const { status, body } = await account.send("POST /repositories", { ...given, sshKeyId: key.id })
    expect([status, body]).toEqual([
      201,
      {
        ...given,
        id: expect.stringMatching(/^repo_[0-9A-Z]{26}$/),
        isStandard: false,
        sshKeys: [key],
        createdAt: expect.any(String),
      },
    ])
    expect((await account.send("GET /repositories")).body.data[0]).toEqual(body)
    expect((await account.send(`GET /ssh-keys/${key.id}/repositories`)).body.data).toEqual([body])
  })

  test.each(["ssh_none", "of another account"])("422 invalid_request: a key that the account does not have (%s)", async (id) => {
    const sshKeyId = id === "ssh_none" ? id : (await newSshKey(other)).id
    const owner = await newAccount(app)
    const answer = await owner.send("POST /repositories", { name: "x", url: "https://example.com/x", sshKeyId })
    expect([answer.status, issuesOf(answer)]).toEqual([422, ["sshKeyId"]])
    expect((await owner.send("GET /repositories")).body.data).toEqual([])
  })

  test("422 invalid_request: two aliases of one name", async () => {
    const aliases = [
      { name: "deploy", target: "a" },
      { name: "deploy", target: "b" },
    ]
    const answer = await account.send("POST /repositories", { name: "x", url: "https://example.com/x", aliases })
    expect([answer.status, issuesOf(answer)]).toEqual([422, ["aliases"]])
  })
})

describe("POST /agents/{agentId}/repositories", () => {
  test("200: a new version that mounts them, and nothing else of it is another", async () => {
    const agent = await newAgent(account)
    const repository = await newRepository(account)
    const given = [mount(repository.id, "/workspace/code/", { setupScript: "setup.sh" }), mount(repository.id, "vendor/code")]
    const { status, body } = await attach(account, agent.id, ...given)
    expect(status).toBe(200)
    const { id, createdAt } = body.currentVersion
    expect(body).toEqual({ ...agent, currentVersion: { ...agent.currentVersion, id, createdAt, number: 2 } })
    expect(id).not.toBe(agent.currentVersion.id)
    expect((await account.send(`GET /agents/${agent.id}`)).body).toEqual(body)
    expect((await account.send(`GET /agents/${agent.id}/repositories`)).body.data).toEqual([
      { ...repository, ...given[0], repositoryId: undefined, id: repository.id, setupScript: "setup.sh" },
      { ...repository, ...given[1], repositoryId: undefined, id: repository.id, setupScript: null },
    ])
  })

  test("200: a later change of the agent keeps them", async () => {
    const agent = await newAgent(account)
    const { id } = await newRepository(account)
    await attach(account, agent.id, mount(id, "code"))
    await account.send(`PATCH /agents/${agent.id}`, { basePrompt: "Another." })
    expect(await mountsOf(account, agent.id)).toEqual([["code", id]])
  })

  test("200: pages of the list are by mounting point and complete", async () => {
    const agent = await newAgent(account)
    const { id } = await newRepository(account)
    await attach(account, agent.id, ...["c", "a", "b"].map((folder) => mount(id, folder)))
    const first = (await account.send(`GET /agents/${agent.id}/repositories?limit=2`)).body
    const second = (await account.send(`GET /agents/${agent.id}/repositories?limit=2&cursor=${first.pageInfo.nextCursor}`)).body
    const pages = [first, second].map(({ data }) => data.map((one: { mountingPoint: string }) => one.mountingPoint))
    expect([pages, second.pageInfo.hasMore]).toEqual([[["a", "b"], ["c"]], false])
  })

  test.each([
    ["the same folder twice", ["code", "code"], 1],
    ["the same folder in other words", ["code", "/workspace/code/"], 1],
    ["one in another", ["code", "code/lib"], 1],
    ["another around one", ["a/b/c", "a"], 1],
    ["one of a version that is there", ["taken"], 0],
    ["one in one that is there", ["./taken/lib"], 0],
  ])("422 invalid_request: %s", async (_, folders, index) => {
    const agent = await newAgent(account)
    const { id } = await newRepository(account)
    await attach(account, agent.id, mount(id, "taken"))
    const answer = await attach(account, agent.id, ...folders.map((folder) => mount(id, folder)))
    expect([answer.status, issuesOf(answer)]).toEqual([422, [`repositories.${index}.mountingPoint`]])
    expect(await mountsOf(account, agent.id)).toEqual([["taken", id]])
  })

  test("200: names that only begin alike lie beside each other", async () => {
    const agent = await newAgent(account)
    const { id } = await newRepository(account)
    expect((await attach(account, agent.id, mount(id, "code"), mount(id, "code-2"), mount(id, "コード"))).status).toBe(200)
  })

  test("422 invalid_request: more than twenty in all", async () => {
    const agent = await newAgent(account)
    const { id } = await newRepository(account)
    const mounts = Array.from({ length: 20 }, (_, i) => mount(id, `r${i}`))
    expect((await attach(account, agent.id, ...mounts)).status).toBe(200)
    const answer = await attach(account, agent.id, mount(id, "one-more"))
    expect([answer.status, issuesOf(answer)]).toEqual([422, ["repositories"]])
  })

  test("422 invalid_request: another account's repository is none", async () => {
    const agent = await newAgent(account)
    const { id } = await newRepository(other)
    const answer = await attach(account, agent.id, mount(id, "code"))
    expect([answer.status, issuesOf(answer)]).toEqual([422, ["repositories.0.repositoryId"]])
  })

  test("422 agent_archived: nothing is mounted by an agent that is archived", async () => {
    const agent = await newAgent(account)
    const { id } = await newRepository(account)
    await account.send(`DELETE /agents/${agent.id}`)
    expect((await attach(account, agent.id, mount(id, "code"))).body.error.code).toBe("agent_archived")
    expect((await account.send(`DELETE /repositories/${id}`)).status).toBe(204)
  })

  test("200: of several at once none is lost", async () => {
    const agent = await newAgent(account)
    const { id } = await newRepository(account)
    const answers = await Promise.all(["a", "b", "c"].map((folder) => attach(account, agent.id, mount(id, folder))))
    const done = answers.filter(({ status }) => status === 200)
    expect((await mountsOf(account, agent.id)).length).toBe(done.length)
    expect((await account.send(`GET /agents/${agent.id}`)).body.currentVersion.number).toBe(1 + done.length)
    for (const { status } of answers) expect([200, 409]).toContain(status)
  })
})

describe("DELETE /agents/{agentId}/repositories/{repositoryId}", () => {
  test("204: takes away the one mount, in a new version", async () => {
    const agent = await newAgent(account)
    const { id } = await newRepository(account)
    await attach(account, agent.id, mount(id, "/workspace/a"), mount(id, "b"))
    const path = `DELETE /agents/${agent.id}/repositories/${id}`
    expect((await account.send(`${path}?mountingPoint=a`)).status).toBe(204)
    expect(await mountsOf(account, agent.id)).toEqual([["b", id]])
    expect((await account.send(`GET /agents/${agent.id}`)).body.currentVersion.number).toBe(3)
  })

  test.each(["a", "", "..", "/etc"])("404 repository_not_attached: it is not at %j", async (mountingPoint) => {
    const agent = await newAgent(account)
    const { id } = await newRepository(account)
    await attach(account, agent.id, mount(id, "b"))
    const query = new URLSearchParams({ mountingPoint })
    const { status, body } = await account.send(`DELETE /agents/${agent.id}/repositories/${id}?${query}`)
    expect([status, body.error.code]).toEqual([404, "repository_not_attached"])
  })

  test("422 invalid_request: which mount is not said", async () => {
    const agent = await newAgent(account)
    const answer = await account.send(`DELETE /agents/${agent.id}/repositories/repo_1`)
    expect([answer.status, issuesOf(answer)]).toEqual([422, ["mountingPoint"]])
  })
})

describe("DELETE /repositories/{repositoryId}", () => {
  test("422 repository_in_use: as long as the current version of an agent mounts it, and no longer", async () => {
    const [one, two] = [await newAgent(account), await newAgent(account)]
    const { id } = await newRepository(account)
    await attach(account, one.id, mount(id, "a"), mount(id, "b"))
    await attach(account, two.id, mount(id, "a"))
    const remove = async () => {
      const { status, body } = await account.send(`DELETE /repositories/${id}`)
      return status === 204 ? 204 : body.error.code
    }
    expect(await remove()).toBe("repository_in_use")
    await account.send(`DELETE /agents/${one.id}/repositories/${id}?mountingPoint=a`)
    await account.send(`DELETE /agents/${two.id}`)
    await account.send(`DELETE /agents/${two.id}`)
    expect(await remove()).toBe("repository_in_use")
    await account.send(`DELETE /agents/${one.id}/repositories/${id}?mountingPoint=b`)
    expect(await remove()).toBe(204)
    expect(await remove()).toBe("repository_not_found")
  })

  test("either is mounted or deleted, never both, when both are asked for at once", async () => {
    for (let i = 0; i < 3; i++) {
      const agent = await newAgent(account)
      const { id } = await newRepository(account)
      const [mounted, deleted] = await Promise.all([
        attach(account, agent.id, mount(id, "a")),
        account.send(`DELETE /repositories/${id}`),
      ])
      expect([mounted.status, deleted.status].toSorted()).toEqual(mounted.status === 200 ? [200, 422] : [204, mounted.status])
      expect((await mountsOf(account, agent.id)).length).toBe(mounted.status === 200 ? 1 : 0)
    }
  })
})

describe("nothing that git or a shell could take for something else is stored", () => {
  const wrong = hostile("/tmp/dormouse-canary-of-the-api")

  test.each<[string, string[], string, (text: string) => [string, object]]>([
    ["addresses", wrong.urls, "url", (url) => ["POST /repositories", { name: "x", url }]],
    [
      "scripts",
      wrong.paths,
      "postCloneScriptPath",
      (postCloneScriptPath) => ["POST /repositories", { ...valid, postCloneScriptPath }],
    ],
    [
      "aliases",
      wrong.aliases,
      "aliases.0.name",
      (name) => ["POST /repositories", { ...valid, aliases: [{ name, target: "x" }] }],
    ],
    [
      "targets",
      wrong.paths,
      "aliases.0.target",
      (target) => ["POST /repositories", { ...valid, aliases: [{ name: "x", target }] }],
    ],
    ["references", wrong.refs, "repositories.0.tag", (tag) => attaching({ tag })],
    ["folders", wrong.folders, "repositories.0.mountingPoint", (mountingPoint) => attaching({ mountingPoint })],
    ["setup scripts", wrong.paths, "repositories.0.setupScript", (setupScript) => attaching({ setupScript })],
    ["skills", wrong.skills, "skills.0.skill", (skill) => ["POST /agents", agentBody({ skills: [{ skill }] })]],
  ])("422 invalid_request: hostile %s", async (_, texts, path, request) => {
    expect(texts.length).toBeGreaterThan(12)
    for (const text of texts) {
      const answer = await caller.send(...request(text))
      expect([text, answer.status, issuesOf(answer)]).toEqual([text, 422, [path]])
    }
    expect((await caller.send("GET /repositories")).body.data.length).toBe(1)
  })
})
