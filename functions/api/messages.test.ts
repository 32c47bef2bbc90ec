import { describe, expect, test } from "vitest"
import { type Answer, newAccount, shared } from "#test/app.ts"
import { items } from "#test/aws.ts"
import { type Container, claimedContainer } from "#test/container.ts"

const app = shared()
const account = await newAccount(app, { creditUsd: 100 })

const codeOf = ({ status, body }: Answer) => [status, body.error?.code]
const conversation = () => claimedContainer(app, account, { conversation: {} })
const say = ({ task }: Container, content: string) => account.send(`POST /conversations/${task.id}/messages`, { content })
const messagesOf = async ({ task }: Container, query: string) =>
  (await account.send(`GET /conversations/${task.id}/messages${query}`)).body

describe("GET /conversations/{taskId}/messages", () => {
  test("404 conversation_not_found: a task that was made as a task has none, but what happens to it can be followed", async () => {
    const { task } = await claimedContainer(app, account)
    expect(codeOf(await account.send(`GET /conversations/${task.id}/messages`))).toEqual([404, "conversation_not_found"])
    expect(await account.send(`GET /conversations/${task.id}/events`)).toMatchObject({ status: 200, body: { data: [] } })
  })

  test("200: pages from either end, each page oldest first", async () => {
    const container = await conversation()
    for (const text of ["2", "3", "4", "5"]) await say(container, text)
    const pages = async (order: string) => {
      const contents: string[][] = []
      let cursor = ""
      do {
        const page = await messagesOf(container, `?limit=2&order=${order}${cursor}`)
        contents.push(page.data.map(({ content }: { content: string }) => content))
        cursor = page.pageInfo.nextCursor ? `&cursor=${page.pageInfo.nextCursor}` : ""
      } while (cursor)
      return contents
    }
    const first = "Which flowers bloom now?"
    expect(await pages("asc")).toEqual([[first, "2"], ["3", "4"], ["5"]])
    expect(await pages("desc")).toEqual([["4", "5"], ["2", "3"], [first]])
  })

  test("200: twenty messages at once are stored one after the other, each once, without gaps", async () => {
    const container = await conversation()
    const texts = Array.from({ length: 20 }, (_, i) => `Message ${i}`)
    const answers = await Promise.all(texts.map((text) => say(container, text)))
    expect(answers.map(({ status }) => status)).toEqual(texts.map(() => 200))
    const stored = await items(app, `${account.accountId}#${container.task.id}`, "message#")
    expect(stored.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 21 }, (_, i) => i + 1))
    const events = await items(app, `${account.accountId}#${container.task.id}`, "event#")
    expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, i) => i + 1))
  })
})

describe("a conversation that there is not", () => {
  test.each<[string, string, object?]>([
    ["GET", "/messages"],
    ["POST", "/messages", { content: "Hello?" }],
    ["POST", "/autonomous", { enabled: true }],
    ["GET", "/repositories"],
    ["POST", "/repositories", { repositories: [{ repositoryId: "repo_1", tag: "main", mountingPoint: "code" }] }],
    ["GET", "/events"],
    ["GET", "/events?stream=true"],
  ])("404 conversation_not_found: %s %s", async (method, path, body) => {
    expect(codeOf(await account.send(`${method} /conversations/tsk_nothing${path}`, body))).toEqual([
      404,
      "conversation_not_found",
    ])
  })
})
