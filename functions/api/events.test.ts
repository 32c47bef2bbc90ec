import { EventSource } from "eventsource"
import { createParser, type EventSourceMessage } from "eventsource-parser"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { millis } from "#core/clock.ts"
import { limits } from "#core/limits.ts"
import { newAccount } from "#test/app.ts"
import { items } from "#test/aws.ts"
import { type Container, claimedContainer } from "#test/container.ts"
import { useAwsOf } from "#test/core-env.ts"
import { type OwnStack, ownStack } from "#test/stack.ts"
import { moveTime } from "#test/time.ts"

// The stack of this file has a clock of its own, since a stream lasts for minutes.

const time = moveTime()
let app: OwnStack
let account: Awaited<ReturnType<typeof newAccount>>

beforeAll(async () => {
  app = await ownStack({}, undefined, { idle: true })
  account = await newAccount(app, { creditUsd: 100 })
})
afterAll(async () => {
  await app.stop()
  time.release()
})

const usage = { input_tokens: 10, output_tokens: 5, cache_read_tokens: 2, cache_write_tokens: 1 }
const answer = (content: string) => ({ content, usage, cost_usd: 0.01 })
const conversation = () => claimedContainer(app, account, { conversation: {} })
const say = ({ task }: Container, content: string) => account.send(`POST /conversations/${task.id}/messages`, { content })
const completeTurn = (container: Container, turn_number: number, text: string) =>
  container.send("turns/complete", { turn_number, messages: [answer(text)] })
const delta = (container: Container, turn_number: number, text: string) => container.send("delta", { turn_number, text })
/** Until when somebody counts as following. */
const followedUntil = async ({ task }: Container) =>
  Number((await items(app, `${account.accountId}#${task.id}`, "follower"))[0]?.until)
/** What the first number of every conversation's events is at: created, turn queued, message, turn started. */
const begun = 4

interface Options {
  after?: number | string
  key?: string | null
  query?: string
}

/** Follows a conversation; what has come so far is in `got`. */
const follow = async (taskId: string, { after, key = account.apiKey, query = "" }: Options = {}) => {
  const cut = new AbortController()
  const response = await fetch(`${app.apiUrl}/api/v1/conversations/${taskId}/events?stream=true${query}`, {
    signal: cut.signal,
    headers: {
      ...(key ? { authorization: `Bearer ${key}` } : {}),
      ...(after === undefined ? {} : { "last-event-id": String(after) }),
    },
  })
  const got: EventSourceMessage[] = []
  const comments: string[] = []
  const retries: number[] = []
  const parser = createParser({
    onEvent: (event) => got.push(event),
    onComment: (comment) => comments.push(comment),
    onRetry: (retry) => retries.push(retry),
  })
  const read = async () => {
    for await (const chunk of response.body ?? []) parser.feed(Buffer.from(chunk).toString("utf8"))
  }
  let isOver = false
  const ended = read().then(
    () => (isOver = true),
    () => (isOver = true),
  )
  return {
    status: response.status,
    headers: response.headers,
    got,
    comments,
    retries,
    ended,
    isOver: () => isOver,
    close: async () => {
      cut.abort()
      await ended
    },
  }
}

type Stream = Awaited<ReturnType<typeof follow>>

const dataOf = ({ data }: EventSourceMessage) => JSON.parse(data)
/** The frames as a short text each: `message 3 user: Hello`. */
const told = ({ got }: Stream) =>
  got.map((frame) => {
    const data = dataOf(frame)
    const text = { task: data.status, message: `${data.role}: ${data.content}`, event: data.kind, delta: data.text }
    return [frame.event, frame.id, text[frame.event as keyof typeof text]].filter(Boolean).join(" ")
  })
const until = (stream: Stream, wanted: string) => vi.waitFor(() => expect(told(stream)).toContain(wanted), { timeout: 10_000 })

describe("GET /conversations/{taskId}/events?stream=true", () => {
  test("begins with the task, tells all from the beginning, and goes on with what happens", async () => {
    const container = await conversation()
    const stream = await follow(container.task.id)
    expect(stream.headers.get("content-type")).toBe("text/event-stream")
    await until(stream, `task ${begun} running`)

    await delta(container, 1, "Snow")
    await until(stream, "delta Snow")
    await completeTurn(container, 1, "Snowdrops.")
    await until(stream, "task 7 awaiting_input")
    const long = `And in May? ${"?".repeat(5_000)}`
    await say(container, long)
    await until(stream, `message 8 user: ${long}`)
    await stream.close()

    // What may come after the message comes too late for a stream that is closed by then.
    expect(told(stream).slice(0, 7)).toEqual([
      "task running",
      "message 2 user: Which flowers bloom now?",
      `task ${begun} running`,
      "delta Snow",
      "message 5 assistant: Snowdrops.",
      "task 7 awaiting_input",
      `message 8 user: ${long}`,
    ])
    const shown = dataOf(stream.got.find(({ event }) => event === "message")!)
    const { body } = await account.send(`GET /conversations/${container.task.id}/messages`)
    expect({ ...shown, status: "processed" }).toEqual(body.data[0])
  })

  test("a client that was cut off gets exactly what it does not have, wherever the cut was", async () => {
    const container = await conversation()
    await completeTurn(container, 1, "One.")
    await say(container, "Two?")
    const whole = await follow(container.task.id)
    await until(whole, "message 8 user: Two?")
    await whole.close()
    const numbered = told(whole).filter((text) => /^(message|event) \d/.test(text))

    for (const after of [0, 2, 4, 5, 7]) {
      const rest = await follow(container.task.id, { after })
      await until(rest, "message 8 user: Two?")
      await rest.close()
      expect(told(rest).filter((text) => /^(message|event) \d/.test(text))).toEqual(
        numbered.filter((text) => Number(text.split(" ")[1]) > after),
      )
    }
  })

  test("the running turn's text is part of what a newcomer sees, and nothing of a turn that is over", async () => {
    const container = await conversation()
    await delta(container, 1, "Half a sen")
    const early = await follow(container.task.id)
    await until(early, "delta Half a sen")
    await early.close()
    await completeTurn(container, 1, "Half a sentence.")

    const late = await follow(container.task.id)
    await until(late, "task 7 awaiting_input")
    await late.close()
    expect(told(late).filter((text) => text.startsWith("delta"))).toEqual([])
  })

  test("who speaks is told whether anybody follows: from the first look of a stream until a minute after its last", async () => {
    const container = await conversation()
    const answers = async (text: string) => (await delta(container, 1, text)).body
    expect(await answers("Snow")).toEqual({ accepted: true, is_followed: false })

    const stream = await follow(container.task.id)
    await until(stream, "delta Snow")
    await expect.poll(() => answers("Snow is")).toEqual({ accepted: true, is_followed: true })
    await until(stream, "delta Snow is")
    // It says so again while it is open.
    time.advance(50_000)
    await expect.poll(() => followedUntil(container)).toBeGreaterThan(millis() + 50_000)
    await stream.close()
    expect((await answers("Snow is c")).is_followed).toBe(true)
    // Whether the stream has noticed that nobody reads it, or has come to its own end.
    await vi.waitFor(
      async () => {
        time.advance(61_000)
        expect((await answers("Snow is cold")).is_followed).toBe(false)
      },
      { timeout: 20_000, interval: 200 },
    )
  })

  test("a stream that was there before the first word is known at the first word, and shows nothing until then", async () => {
    const container = await conversation()
    const stream = await follow(container.task.id)
    await expect.poll(() => followedUntil(container)).toBeGreaterThan(millis())
    expect((await delta(container, 1, "Snow")).body).toEqual({ accepted: true, is_followed: true })
    await until(stream, "delta Snow")
    await stream.close()
    expect(told(stream).filter((text) => text.startsWith("delta"))).toEqual(["delta Snow"])
  })

  test("the text of a container that was replaced is not shown", async () => {
    const container = await conversation()
    await container.send("fail", { error: "It broke." })
    const { status, body } = await delta(container, 1, "Late words")
    expect([status, body.error.code]).toEqual([409, "lease_lost"])
  })

  test("ends after four minutes with the time to come back, and says something every fifteen seconds until then", async () => {
    const container = await conversation()
    const stream = await follow(container.task.id)
    await until(stream, `task ${begun} running`)
    for (let i = 0; i < 3; i++) {
      time.advance(16_000)
      await vi.waitFor(() => expect(stream.comments.length).toBeGreaterThan(i), { timeout: 10_000 })
    }
    time.advance(195_000)
    await stream.ended
    expect(stream.retries).toEqual([1000])
  })

  test("a conversation that has ended is told to its end, and then there is nothing to come back for: 204", async () => {
    const container = await conversation()
    await account.send(`POST /tasks/${container.task.id}/cancel`)
    await container.send("fail", { error: "Cancelled." })
    const stream = await follow(container.task.id)
    await stream.ended
    const last = stream.got.at(-1)!
    expect(dataOf(last).status).toBe("cancelled")

    expect((await follow(container.task.id, { after: last.id! })).status).toBe(204)
    expect((await follow(container.task.id, { after: "a word" })).status).toBe(200)
  })

  test("many clients follow the same conversation and are told the same", async () => {
    const container = await conversation()
    const streams = await Promise.all(Array.from({ length: 8 }, () => follow(container.task.id)))
    await completeTurn(container, 1, "For all of you.")
    for (const stream of streams) await until(stream, "message 5 assistant: For all of you.")
    await Promise.all(streams.map((stream) => stream.close()))
    for (const stream of streams)
      expect(told(stream).filter((text) => text.startsWith("message"))).toEqual([
        "message 2 user: Which flowers bloom now?",
        "message 5 assistant: For all of you.",
      ])
  })

  test("handing over and taking back are events with the numbers of the list", async () => {
    const container = await conversation()
    const stream = await follow(container.task.id)
    await account.send(`POST /conversations/${container.task.id}/autonomous`, { enabled: true })
    await expect.poll(() => told(stream).some((text) => text.includes("mode_switched_to_autonomous"))).toBe(true)
    await stream.close()
    const { body } = await account.send(`GET /conversations/${container.task.id}/events`)
    expect(dataOf(stream.got.find(({ event }) => event === "event")!)).toEqual(body.data[0])
  })
})

describe("the EventSource of a client", () => {
  test("follows a whole conversation across a cut, nothing lost and nothing twice, and stops when all is told", async () => {
    const container = await conversation()
    const url = `${app.apiUrl}/api/v1/conversations/${container.task.id}/events?stream=true&apiKey=${account.apiKey}`
    const source = new EventSource(url)
    const contents: string[] = []
    const statuses: string[] = []
    source.addEventListener("message", ({ data }) => contents.push(JSON.parse(data).content))
    source.addEventListener("task", ({ data }) => statuses.push(JSON.parse(data).status))
    await vi.waitFor(() => expect(contents).toEqual(["Which flowers bloom now?"]), { timeout: 10_000 })

    time.advance(245_000)
    await completeTurn(container, 1, "Snowdrops.")
    await vi.waitFor(() => expect(contents).toEqual(["Which flowers bloom now?", "Snowdrops."]), { timeout: 15_000 })
    await account.send(`POST /tasks/${container.task.id}/cancel`)
    await container.send("fail", { error: "Cancelled." })
    await vi.waitFor(() => expect([statuses.at(-1), source.readyState]).toEqual(["cancelled", EventSource.CLOSED]), {
      timeout: 15_000,
    })
    expect(contents).toEqual(["Which flowers bloom now?", "Snowdrops."])
  })
})

describe("the key of a stream", () => {
  test("may come in the query, for a browser's EventSource sets no header", async () => {
    const { task } = await conversation()
    const stream = await follow(task.id, { key: null, query: `&apiKey=${account.apiKey}` })
    expect(stream.status).toBe(200)
    expect(stream.headers.get("access-control-allow-origin")).toBe("*")
    await stream.close()
  })

  test("may not come in the query of anything else", async () => {
    const { task } = await conversation()
    const query = `apiKey=${account.apiKey}`
    const paths = [
      `/conversations/${task.id}/events?${query}`,
      `/conversations/${task.id}/events?stream=false&${query}`,
      `/account?${query}`,
    ]
    for (const path of paths) expect((await fetch(`${app.apiUrl}/api/v1${path}`)).status).toBe(401)
  })

  test("must be one, and of the conversation's account", async () => {
    const { task } = await conversation()
    const stranger = await newAccount(app)
    expect((await follow(task.id, { key: null })).status).toBe(401)
    expect((await follow(task.id, { key: stranger.apiKey })).status).toBe(404)
  })
})

describe("the streams of an account", () => {
  /** Takes all places but one, or so many, as other streams would. */
  const crowd = async (accountId: string, count = limits.streams - 1) => {
    useAwsOf(app)
    const Places = await import("#core/stream-place.ts")
    const places = await Promise.all(Array.from({ length: count }, () => Places.take(accountId, 260_000)))
    return { places, leave: Places.leave }
  }

  test("are as many as it may have and no more; a place that is given back can be had again", async () => {
    const crowded = await newAccount(app, { creditUsd: 10 })
    const { task } = await claimedContainer(app, crowded, { conversation: {} })
    const { places, leave } = await crowd(crowded.accountId)
    expect(new Set(places.map(({ place }) => place)).size).toBe(limits.streams - 1)
    const last = await follow(task.id, { key: crowded.apiKey })
    expect(last.status).toBe(200)
    const refused = await crowded.send(`GET /conversations/${task.id}/events?stream=true`)
    expect([refused.status, refused.body.error.code]).toEqual([429, "too_many_streams"])
    expect(refused.headers.get("retry-after")).toBe(String(refused.body.error.retryAfterSeconds))
    expect(refused.body.error.retryAfterSeconds).toSatisfy((seconds: number) => seconds > 200 && seconds <= 260)

    await leave(places[0]!)
    const next = await follow(task.id, { key: crowded.apiKey })
    expect(next.status).toBe(200)
    await Promise.all([last.close(), next.close()])
  })

  test("of many that ask at once those that get no place are told when there is one", async () => {
    const crowded = await newAccount(app)
    const asked = Array.from({ length: limits.streams + 4 }, () => crowd(crowded.accountId, 1).catch(({ extra }) => extra))
    const refused = (await Promise.all(asked)).filter((answer) => "retryAfterSeconds" in answer)
    expect(refused).toHaveLength(4)
    for (const { retryAfterSeconds } of refused)
      expect(retryAfterSeconds).toSatisfy((seconds: number) => seconds > 200 && seconds <= 260)
  })

  test("a stream that a client closed gives its place back once there is something to say to it", async () => {
    const crowded = await newAccount(app, { creditUsd: 10 })
    const { task } = await claimedContainer(app, crowded, { conversation: {} })
    await crowd(crowded.accountId)
    const stream = await follow(task.id, { key: crowded.apiKey })
    await stream.close()
    const next = await vi.waitFor(
      async () => {
        time.advance(60_000)
        const again = await follow(task.id, { key: crowded.apiKey })
        expect(again.status).toBe(200)
        return again
      },
      { timeout: 20_000, interval: 500 },
    )
    await next.close()
  })

  test("a client that reads nothing for minutes finds its stream ended, and the account its places free", async () => {
    const lazy = await newAccount(app, { creditUsd: 10 })
    const { task } = await claimedContainer(app, lazy, { conversation: {} })
    await crowd(lazy.accountId)
    const url = `${app.apiUrl}/api/v1/conversations/${task.id}/events?stream=true`
    const stuck = await fetch(url, { headers: { authorization: `Bearer ${lazy.apiKey}` } })
    expect((await follow(task.id, { key: lazy.apiKey })).status).toBe(429)

    time.advance(300_000)
    const next = await follow(task.id, { key: lazy.apiKey })
    expect(next.status).toBe(200)
    expect(await stuck.text().catch(() => "cut off")).toMatch(/retry: 1000\n\n$|^cut off$/)
    await next.close()
  })
})
