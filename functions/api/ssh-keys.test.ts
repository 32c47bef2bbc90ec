import { describe, expect, test } from "vitest"
import { newAccount, shared } from "#test/app.ts"
import { items } from "#test/aws.ts"
import { newRepository, newSshKey } from "#test/make.ts"

const app = shared()
const account = await newAccount(app)
const other = await newAccount(app)

describe("POST /ssh-keys", () => {
  test("201: answers the public half in OpenSSH's format, and keeps the private one encrypted and apart", async () => {
    const { status, body } = await account.send("POST /ssh-keys", { name: " Deploy ", description: "Reads." })
    expect(status).toBe(201)
    expect(body).toEqual({
      id: expect.stringMatching(/^ssh_[0-9A-Z]{26}$/),
      name: "Deploy",
      description: "Reads.",
      algorithm: "ed25519",
      publicKey: expect.stringMatching(new RegExp(`^ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI[A-Za-z0-9+/]{43} ${body.id}$`)),
      createdAt: expect.any(String),
    })
    expect((await account.send(`GET /ssh-keys/${body.id}`)).body).toEqual(body)
    const stored = JSON.stringify(await items(app, account.accountId))
    expect(stored).toContain(body.publicKey)
    expect(stored).not.toContain("PRIVATE KEY")
  })

  test.each([
    ["no name", {}],
    ["an empty name", { name: " " }],
    ["a private key of one's own", { name: "Key", privateKey: "-----BEGIN" }],
  ])("422 invalid_request: %s", async (_, body) => {
    expect((await account.send("POST /ssh-keys", body)).status).toBe(422)
  })
})

describe("GET /ssh-keys", () => {
  test("200: newest first, page by page, one's own only", async () => {
    const owner = await newAccount(app)
    const made: string[] = []
    for (let i = 0; i < 5; i++) made.unshift((await newSshKey(owner)).id)
    await newSshKey(other)
    const seen: string[] = []
    for (let cursor = ""; ; ) {
      const { body } = await owner.send(`GET /ssh-keys?limit=2${cursor}`)
      seen.push(...body.data.map(({ id }: { id: string }) => id))
      if (!body.pageInfo.hasMore) break
      cursor = `&cursor=${body.pageInfo.nextCursor}`
    }
    expect(seen).toEqual(made)
  })
})

describe("PATCH /ssh-keys/{sshKeyId}", () => {
  test("200: changes name and description, and nothing else", async () => {
    const key = await newSshKey(account)
    const { status, body } = await account.send(`PATCH /ssh-keys/${key.id}`, { name: "Other", description: "New." })
    expect([status, body]).toEqual([200, { ...key, name: "Other", description: "New." }])
    expect((await account.send(`PATCH /ssh-keys/${key.id}`, {})).body).toEqual(body)
  })
})

describe("DELETE /ssh-keys/{sshKeyId}", () => {
  test("204: the key, its private half and its links are gone; the repositories stay", async () => {
    const owner = await newAccount(app)
    const key = await newSshKey(owner)
    const kept = await newSshKey(owner)
    const repositories = []
    for (let i = 0; i < 3; i++) repositories.push(await newRepository(owner, { sshKeyId: key.id }))
    await owner.send(`POST /ssh-keys/${kept.id}/repositories`, { repositoryId: repositories[0].id })

    expect((await owner.send(`DELETE /ssh-keys/${key.id}`)).status).toBe(204)
    expect((await owner.send(`DELETE /ssh-keys/${key.id}`)).body.error.code).toBe("ssh_key_not_found")
    const { body } = await owner.send("GET /repositories")
    const keysOf = body.data.map(({ sshKeys }: { sshKeys: { id: string }[] }) => sshKeys.map(({ id }) => id))
    expect(keysOf).toEqual([[], [], [kept.id]])
    const secrets = (await items(app, owner.accountId)).filter(({ sk }) => String(sk).startsWith("secret#"))
    expect(secrets.length).toBe(1)
    expect(await items(app, `${owner.accountId}#${key.id}`)).toEqual([])
  })

  test("204: also a key with more links than fit into one transaction", async () => {
    const owner = await newAccount(app)
    const key = await newSshKey(owner)
    await Promise.all(Array.from({ length: 45 }, () => newRepository(owner, { sshKeyId: key.id })))
    expect((await owner.send(`DELETE /ssh-keys/${key.id}`)).status).toBe(204)
    expect(await items(app, `${owner.accountId}#${key.id}`)).toEqual([])
  })
})

describe("POST and DELETE /ssh-keys/{sshKeyId}/repositories", () => {
  test("200: many to many, and attaching twice is attaching once", async () => {
    const owner = await newAccount(app)
    const [one, two] = [await newSshKey(owner), await newSshKey(owner)]
    const [a, b] = [await newRepository(owner), await newRepository(owner)]
    const attach = (key: { id: string }, repository: { id: string }) =>
      owner.send(`POST /ssh-keys/${key.id}/repositories`, { repositoryId: repository.id })
    await attach(one, a)
    await attach(one, b)
    await attach(two, a)
    const again = await attach(two, a)
    expect([again.status, again.body]).toEqual([200, { ...a, sshKeys: expect.arrayContaining([one, two]) }])
    expect(again.body.sshKeys.length).toBe(2)

    const opened = async (key: { id: string }) =>
      (await owner.send(`GET /ssh-keys/${key.id}/repositories`)).body.data.map(({ id }: { id: string }) => id)
    expect([await opened(one), await opened(two)]).toEqual([[b.id, a.id], [a.id]])

    const detached = `DELETE /ssh-keys/${one.id}/repositories/${a.id}`
    expect((await owner.send(detached)).status).toBe(204)
    expect((await owner.send(detached)).body.error.code).toBe("repository_not_attached")
    expect(await opened(one)).toEqual([b.id])

    await owner.send(`DELETE /repositories/${a.id}`)
    expect(await opened(two)).toEqual([])
    expect((await owner.send(`DELETE /ssh-keys/${two.id}`)).status).toBe(204)
  })

  test("404 repository_not_found: another account's repository is none", async () => {
    const key = await newSshKey(account)
    const { id } = await newRepository(other)
    const { status, body } = await account.send(`POST /ssh-keys/${key.id}/repositories`, { repositoryId: id })
    expect([status, body.error.code]).toEqual([404, "repository_not_found"])
    expect((await other.send("GET /repositories")).body.data[0].sshKeys).toEqual([])
  })

  test("422 invalid_request: more keys than a repository may have", async () => {
    const { id } = await newRepository(account)
    const answers = []
    for (let i = 0; i < 11; i++)
      answers.push(await account.send(`POST /ssh-keys/${(await newSshKey(account)).id}/repositories`, { repositoryId: id }))
    expect(answers.map(({ status }) => status)).toEqual([...Array(10).fill(200), 422])
  })

  test("of several keys at once no more are attached than a repository may have", async () => {
    const keys = await Promise.all(Array.from({ length: 13 }, () => newSshKey(account)))
    const attach = (key: { id: string }, { id }: { id: string }) =>
      account.send(`POST /ssh-keys/${key.id}/repositories`, { repositoryId: id })
    for (let i = 0; i < 3; i++) {
      const repository = await newRepository(account)
      for (const key of keys.slice(0, 9)) await attach(key, repository)
      const answers = await Promise.all(keys.slice(9).map((key) => attach(key, repository)))
      expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 422, 422, 422])
      const { body } = await account.send("GET /repositories?limit=1")
      expect(body.data[0].sshKeys).toHaveLength(10)
    }
  })
})
