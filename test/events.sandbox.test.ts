import { type Browser, chromium } from "playwright-core"
import { afterAll, beforeAll, expect, test } from "vitest"
import { newAccount, shared } from "./app.ts"
import { claimedContainer } from "./container.ts"

const app = shared()
let browser: Browser

beforeAll(async () => {
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] })
})
afterAll(() => browser.close())

interface Followed {
  contents: string[]
  statuses: string[]
  state: number
}

test("a browser's EventSource follows a whole conversation, and stops when all is told", async () => {
  const account = await newAccount(app, { creditUsd: 10 })
  const container = await claimedContainer(app, account, { conversation: {} })
  const url = `${app.apiUrl}/api/v1/conversations/${container.task.id}/events?stream=true&apiKey=${account.apiKey}`
  const page = await browser.newPage()
  await page.goto(app.apiUrl)
  await page.evaluate((address) => {
    const source = new EventSource(address)
    const followed = { contents: [] as string[], statuses: [] as string[], state: 0 }
    Object.assign(globalThis, { followed, source })
    const dataOf = (event: Event) => JSON.parse((event as Event & { data: string }).data)
    source.addEventListener("message", (event) => followed.contents.push(dataOf(event).content))
    source.addEventListener("task", (event) => followed.statuses.push(dataOf(event).status))
  }, url)
  const followed = () =>
    page.evaluate(() => {
      const { followed, source } = globalThis as unknown as { followed: Followed; source: EventSource }
      return { ...followed, state: source.readyState }
    })
  const contents = () => followed().then((all) => all.contents)
  await expect.poll(contents, { timeout: 15_000 }).toEqual(["Which flowers bloom now?"])

  const usage = { input_tokens: 10, output_tokens: 5, cache_read_tokens: 0, cache_write_tokens: 0 }
  await container.send("turns/complete", { turn_number: 1, messages: [{ content: "Snowdrops.", usage, cost_usd: 0.01 }] })
  await expect.poll(contents, { timeout: 15_000 }).toEqual(["Which flowers bloom now?", "Snowdrops."])
  await account.send(`POST /tasks/${container.task.id}/cancel`)
  await container.send("fail", { error: "Cancelled." })

  const closed = 2
  await expect.poll(() => followed().then(({ state }) => state), { timeout: 20_000 }).toBe(closed)
  const { statuses } = await followed()
  expect(statuses.at(-1)).toBe("cancelled")
  expect(await contents()).toEqual(["Which flowers bloom now?", "Snowdrops."])
}, 90_000)
