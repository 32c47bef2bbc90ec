import { describe, expect, test } from "vitest"
import { newAccount, shared } from "#test/app.ts"
import { agentBody, newAgent, newTask } from "#test/make.ts"

const app = shared()
const account = await newAccount(app)

const issuesOf = ({ body }: { body: { error: { issues: { path: string }[] } } }) => body.error.issues.map(({ path }) => path)
const idsOf = ({ body }: { body: { data: { id: string }[] } }) => body.data.map(({ id }) => id)

const made = async (body: object = {}, caller = account) => {
  const answer = await caller.send("POST /containers", { name: "Tools", ...body })
  expect(answer.status).toBe(201)
  return answer.body
}

const patched = async ({ id }: { id: string }, body: object) => {
  const answer = await account.send(`PATCH /containers/${id}`, body)
  expect(answer.status).toBe(200)
  return answer.body
}

/** An agent's body that names a container in place of a runtime. */
const on = (names: object) => agentBody({ runtime: undefined, ...names })

describe("POST /containers", () => {
  test("201: answers the container with its first version, whole", async () => {
    const container = await made({
      description: "For builds.",
      containerImage: "ghcr.io/acme/tools:1",
      containerContractVersion: "1",
    })
    expect(container).toEqual({
      id: expect.stringMatching(/^ctr_[0-9A-Z]{26}$/),
      name: "Tools",
      description: "For builds.",
      isStandard: false,
      archivedAt: null,
      createdAt: expect.any(String),
      currentVersion: {
        id: expect.stringMatching(/^ctv_[0-9A-Z]{26}$/),
        number: 1,
        containerPreset: null,
        containerImage: "ghcr.io/acme/tools:1",
        containerContractVersion: "1",
        createdAt: container.createdAt,
      },
    })
    expect((await account.send(`GET /containers/${container.id}`)).body).toEqual(container)
  })

  test("201: a preset keeps the image that it stands for", async () => {
    const { currentVersion } = await made({ containerPreset: "data-processing" })
    const { body: standard } = await account.send("GET /containers/ctr_standard_data")
    expect(currentVersion).toMatchObject({
      containerPreset: "data-processing",
      containerImage: standard.currentVersion.containerImage,
    })
  })

  test("201: a name alone makes a container for coding", async () => {
    expect((await made()).currentVersion.containerPreset).toBe("coding")
  })

  test.each<[string, object]>([
    ["name", { name: " " }],
    ["description", { description: "x".repeat(2_001) }],
    ["containerPreset", { containerPreset: "gaming" }],
    ["containerPreset", { containerPreset: "toString" }],
    ["containerImage", { containerImage: "Debian 12" }],
    ["containerImage", { containerImage: "debian:12", containerPreset: "coding" }],
    ["containerContractVersion", { containerContractVersion: "2" }],
  ])("422 invalid_request: a bad %s is named by its path", async (path, body) => {
    const answer = await account.send("POST /containers", { name: "Tools", ...body })
    expect(answer.status).toBe(422)
    expect(issuesOf(answer)).toEqual([path])
  })
})

describe("GET /containers", () => {
  test("200: one's own, newest first, then the standard ones, over pages", async () => {
    const own = await newAccount(app)
    const [first, second, archived] = [await made({}, own), await made({}, own), await made({}, own)]
    await own.send(`DELETE /containers/${archived.id}`)
    const pages = [await own.send("GET /containers?limit=3")]
    pages.push(await own.send(`GET /containers?cursor=${pages[0]!.body.pageInfo.nextCursor}`))
    expect(pages.flatMap(idsOf)).toEqual([
      second.id,
      first.id,
      "ctr_standard_coding",
      "ctr_standard_documents",
      "ctr_standard_data",
    ])
    expect(pages[1]!.body.pageInfo).toEqual({ hasMore: false, nextCursor: null })
  })
})

describe("PATCH /containers/{containerId}", () => {
  test("200: name and description change in place", async () => {
    const container = await made()
    expect(await patched(container, { name: " Other ", description: "Else." })).toEqual({
      ...container,
      name: "Other",
      description: "Else.",
    })
  })

  test("200: another image makes the next version, and takes the place of the preset; back again too", async () => {
    const container = await made({ containerPreset: "documents" })
    const after = await patched(container, { containerImage: "alpine:3" })
    expect(after.currentVersion).toMatchObject({ number: 2, containerImage: "alpine:3", containerPreset: null })
    const again = await patched(container, { containerPreset: "documents" })
    expect(again.currentVersion).toMatchObject({
      ...container.currentVersion,
      number: 3,
      id: again.currentVersion.id,
      createdAt: again.currentVersion.createdAt,
    })

    const { body } = await account.send(`GET /containers/${container.id}/versions?limit=2`)
    expect(body.data).toEqual([again.currentVersion, after.currentVersion])
    const rest = await account.send(`GET /containers/${container.id}/versions?cursor=${body.pageInfo.nextCursor}`)
    expect(rest.body.data).toEqual([container.currentVersion])
    const read = await account.send(`GET /containers/${container.id}/versions/${container.currentVersion.id}`)
    expect(read.body).toEqual(container.currentVersion)
  })

  test("200: of changes at the same moment each is made, one after the other", async () => {
    const container = await made()
    const images = ["debian:10", "debian:11", "debian:12", "debian:13", "alpine:3", "alpine:4"]
    const answers = await Promise.all(
      images.map((containerImage) => account.send(`PATCH /containers/${container.id}`, { containerImage })),
    )
    expect(answers.map(({ status }) => status)).toEqual(images.map(() => 200))
    const { body } = await account.send(`GET /containers/${container.id}/versions`)
    expect(body.data).toHaveLength(1 + images.length)
  })
})

describe("DELETE /containers/{containerId}", () => {
  test("204: an archived container can be read, new agents cannot have it, and those that do keep it", async () => {
    const container = await made({ containerImage: "debian:11" })
    const agent = await newAgent(account, { runtime: undefined, containerId: container.id })
    for (let i = 0; i < 2; i++) expect((await account.send(`DELETE /containers/${container.id}`)).status).toBe(204)
    expect((await account.send(`GET /containers/${container.id}`)).body).toEqual({
      ...container,
      archivedAt: expect.stringMatching(/Z$/),
    })
    const refused = await account.send("POST /agents", on({ containerId: container.id }))
    expect(refused.status).toBe(422)
    expect(issuesOf(refused)).toEqual(["containerId"])
    expect((await newTask(account, agent.id)).runtime.containerImage).toBe("debian:11")
  })
})

describe("POST /containers/{containerId}/fork", () => {
  test("201: makes one's own of a standard container, under its name or another, with or without a body", async () => {
    const { body: standard } = await account.send("GET /containers/ctr_standard_documents")
    const { status, body: copy } = await account.send("POST /containers/ctr_standard_documents/fork")
    expect(status).toBe(201)
    expect(copy).toEqual({
      ...standard,
      id: expect.stringMatching(/^ctr_[0-9A-Z]{26}$/),
      isStandard: false,
      createdAt: expect.any(String),
      currentVersion: {
        ...standard.currentVersion,
        id: expect.stringMatching(/^ctv_[0-9A-Z]{26}$/),
        createdAt: copy.createdAt,
      },
    })
    expect((await patched(copy, { containerImage: "debian:12" })).currentVersion.number).toBe(2)
    const named = await account.send("POST /containers/ctr_standard_data/fork", { name: "Numbers" })
    expect(named.body.name).toBe("Numbers")
  })

  test("422 not_standard: one's own is changed, not forked", async () => {
    const { status, body } = await account.send(`POST /containers/${(await made()).id}/fork`, {})
    expect(status).toBe(422)
    expect(body.error.code).toBe("not_standard")
  })
})

describe("a standard container", () => {
  test.each([
    ["PATCH /containers/ctr_standard_coding", { name: "Mine" }],
    ["DELETE /containers/ctr_standard_coding", undefined],
  ])("404 container_not_found: %s", async (call, body) => {
    const answer = await account.send(call, body)
    expect(answer.status).toBe(404)
    expect(answer.body.error.code).toBe("container_not_found")
  })

  test("404 container_version_not_found: its versions belong to no other container", async () => {
    const { body: standard } = await account.send("GET /containers/ctr_standard_data/versions")
    expect(standard.data).toHaveLength(1)
    for (const id of ["ctr_standard_coding", (await made()).id]) {
      const { status, body } = await account.send(`GET /containers/${id}/versions/${standard.data[0].id}`)
      expect(status).toBe(404)
      expect(body.error.code).toBe("container_version_not_found")
    }
  })
})

describe("an agent that names a container", () => {
  test("201: has its current image, and keeps it when the container changes", async () => {
    const container = await made({ containerImage: "debian:11" })
    const agent = await newAgent(account, { runtime: undefined, containerId: container.id })
    await patched(container, { containerImage: "debian:13" })
    const expected = {
      runtime: { containerImage: "debian:11", agentRuntime: "pi" },
      containerVersionId: container.currentVersion.id,
    }
    expect(agent.currentVersion).toMatchObject(expected)
    expect((await account.send(`GET /agents/${agent.id}`)).body).toEqual(agent)
    expect(await newTask(account, agent.id)).toMatchObject(expected)
  })

  test("201: may name an earlier version of it, alone or with the container", async () => {
    const container = await made({ containerImage: "debian:11" })
    await patched(container, { containerImage: "debian:13" })
    const containerVersionId = container.currentVersion.id
    for (const names of [{ containerVersionId }, { containerVersionId, containerId: container.id }])
      expect((await newAgent(account, { runtime: undefined, ...names })).currentVersion).toMatchObject({
        runtime: { containerImage: "debian:11" },
        containerVersionId,
      })
  })

  test("201: may name a standard one", async () => {
    const { body: standard } = await account.send("GET /containers/ctr_standard_data")
    for (const names of [{ containerId: standard.id }, { containerVersionId: standard.currentVersion.id }])
      expect((await newAgent(account, { runtime: undefined, ...names })).currentVersion).toMatchObject({
        runtime: { containerImage: standard.currentVersion.containerImage },
        containerVersionId: standard.currentVersion.id,
      })
  })

  test("200: comes and goes with a change of the agent, and stays through every other", async () => {
    const container = await made({ containerImage: "debian:11" })
    const agent = await newAgent(account)
    const change = async (body: object) => (await account.send(`PATCH /agents/${agent.id}`, body)).body.currentVersion
    const there = { runtime: { containerImage: "debian:11" }, containerVersionId: container.currentVersion.id }
    expect(await change({ containerId: container.id })).toMatchObject({ ...there, number: 2 })
    expect(await change({ basePrompt: "Other." })).toMatchObject({ ...there, number: 3 })
    expect(await change({ runtime: { agentRuntime: "pi" } })).toMatchObject({ ...there, number: 4 })
    expect(await change({ runtime: { containerImage: "alpine:3" } })).toMatchObject({
      runtime: { containerImage: "alpine:3" },
      containerVersionId: null,
      number: 5,
    })
  })

  test.each<[string, object]>([
    ["runtime", {}],
    ["runtime", { containerId: "ctr_standard_data", runtime: { containerImage: "debian:12", agentRuntime: "pi" } }],
    ["containerId", { containerId: "ctr_nothing" }],
    ["containerVersionId", { containerVersionId: "ctv_nothing" }],
    ["containerVersionId", { containerId: "ctr_standard_data", containerVersionId: "ctv_standard_coding_1" }],
  ])("422 invalid_request: a bad %s is named by its path", async (path, names) => {
    const answer = await account.send("POST /agents", on(names))
    expect(answer.status).toBe(422)
    expect(issuesOf(answer)).toEqual([path])
  })

  test("422 invalid_request: another account's container is none, and neither is its version", async () => {
    const foreign = await made({}, await newAccount(app))
    for (const [path, names] of [
      ["containerId", { containerId: foreign.id }],
      ["containerVersionId", { containerVersionId: foreign.currentVersion.id }],
    ] as const) {
      const answer = await account.send("POST /agents", on(names))
      expect(answer.status).toBe(422)
      expect(issuesOf(answer)).toEqual([path])
    }
  })
})
