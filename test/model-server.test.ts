import { expect, onTestFinished, test } from "vitest"
import { type Script, startModelServer } from "./model-server.ts"

const start = async (script: Script) => {
  const server = await startModelServer(script)
  onTestFinished(server.close)
  const ask = (path = "/v1/messages", signal?: AbortSignal) =>
    fetch(server.url + path, { method: "POST", body: '{"model":"a-model","stream":true}', signal })
  return { ...server, ask }
}

test("each wire format says the text in pieces and ends in its own way", async () => {
  const { ask } = await start(() => ({ blocks: [{ text: "Good morning" }] }))

  expect(await (await ask("/v1/messages")).text()).toMatch(/"Good mor"[\s\S]*"ning"[\s\S]*event: message_stop/)
  expect(await (await ask("/v1/responses")).text()).toMatch(/"Good mor"[\s\S]*"ning"[\s\S]*event: response.completed/)
  expect(await (await ask("/api/v1/chat/completions")).text()).toMatch(/"Good mor"[\s\S]*"ning"[\s\S]*data: \[DONE\]/)
})

test("a test decides when the answer begins and when it goes on", async () => {
  const begin = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  const { ask } = await start([
    { blocks: [{ text: "Good morning" }], before: begin.promise, pause: (chunk) => (chunk === 3 ? goOn.promise : undefined) },
  ])
  const answer = ask()
  begin.resolve()
  const reader = (await answer).body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ""
  while (!text.includes("Good mor")) text += (await reader?.read())?.value ?? ""
  expect(text).not.toContain("ning")
  goOn.resolve()
  while (!text.includes("message_stop")) text += (await reader?.read())?.value ?? ""
  expect(text).toContain("ning")
})

test("a refusal has its status, headers and words", async () => {
  const { ask } = await start([{ status: 429, error: "slow down", headers: { "retry-after": "7" } }])
  const response = await ask()

  expect([response.status, response.headers.get("retry-after")]).toEqual([429, "7"])
  expect(await response.json()).toMatchObject({ error: { message: "slow down" } })
})

test("a cut answer ends in a lost connection", async () => {
  const { ask } = await start([{ blocks: [{ text: "Half" }], end: "cut" }])

  await expect((await ask()).text()).rejects.toThrow()
})

test("what was asked is kept, with whether the caller went away", async () => {
  const { ask, requests } = await start([{ silent: true }, { blocks: [] }])
  const gone = new AbortController()
  const first = ask("/v1/messages", gone.signal)
  await expect.poll(() => requests).toHaveLength(1)
  gone.abort()
  await expect(first).rejects.toThrow()
  await expect.poll(() => requests[0]?.aborted).toBe(true)
  await (await ask()).text()

  expect(requests[1]).toMatchObject({ url: "/v1/messages", body: { model: "a-model" }, aborted: false })
})

test("a script that is at its end is an error of the provider, and so is an unknown path", async () => {
  const { ask } = await start([])

  expect((await ask()).status).toBe(500)
  expect((await ask("/v1/embeddings")).status).toBe(404)
})
