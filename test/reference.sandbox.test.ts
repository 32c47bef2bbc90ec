import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { newAccount, shared } from "./app.ts"

// The reference as readers have it: in a browser, on a desk and on a phone, by day and by night, with scripts and without.

const app = shared()
const pictures = mkdtempSync(join(tmpdir(), "dormouse-reference-"))
let browser: Browser

beforeAll(async () => {
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] })
})

afterAll(async () => {
  await browser.close()
  console.log(`Pictures of the reference are in ${pictures}`)
})

/** Opens the page; fails when it asks anybody else for anything, or complains. */
const open = async (options: BrowserContextOptions, use: (page: Page) => Promise<void>) => {
  const context = await browser.newContext(options)
  const page = await context.newPage()
  const foreign: string[] = []
  const complaints: string[] = []
  page.on("request", (request) => request.url().startsWith(app.apiUrl) || foreign.push(request.url()))
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()))
  page.on("pageerror", (error) => complaints.push(error.message))
  await page.goto(app.apiUrl)
  await use(page)
  await context.close()
  expect(foreign).toEqual([])
  expect(complaints.filter((text) => !text.includes("favicon") && !text.includes("404"))).toEqual([])
}

const desk = { viewport: { width: 1440, height: 900 } }
const phone = { viewport: { width: 390, height: 844 }, isMobile: true, deviceScaleFactor: 2 }

describe("the reference", () => {
  test.each([
    ["a desk", { ...desk }],
    ["a desk at night", { ...desk, colorScheme: "dark" as const }],
    ["a phone", { ...phone }],
    ["a phone at night", { ...phone, colorScheme: "dark" as const }],
    ["a desk without scripts", { ...desk, javaScriptEnabled: false }],
  ])("fits %s: nothing is cut off, and all of it can be read", async (name, options) => {
    await open(options, async (page) => {
      await page.screenshot({ path: join(pictures, `${name.replaceAll(" ", "-")}.png`) })
      const article = page.locator("#postAgents")
      await article.scrollIntoViewIfNeeded()
      expect(await article.locator("h3").textContent()).toBe("Make an agent")
      expect(await article.locator("pre").first().isVisible()).toBe(true)
      const width = (await page.locator("main").boundingBox())!.width
      expect(width).toBeLessThanOrEqual(options.viewport.width)
      expect((await page.locator("body").boundingBox())!.width).toBeLessThanOrEqual(options.viewport.width)
      await page.screenshot({ path: join(pictures, `${name.replaceAll(" ", "-")}-agents.png`) })
    })
  })

  test("tries an operation with one's key, and finds it by its words", async () => {
    const account = await newAccount(app)
    await open(desk, async (page) => {
      await page.getByPlaceholder("Find an operation").fill("read your account")
      expect(await page.locator("nav li:visible [href='#getAccount']").count()).toBe(1)
      expect(await page.locator("nav li:visible [href='#postAgents']").count()).toBe(0)
      await page.getByLabel("Your API key").fill(account.apiKey)
      const article = page.locator("#getAccount")
      await article.getByText("Try it").click()
      await article.getByRole("button", { name: "Send" }).click()
      await article.locator("output", { hasText: account.accountId }).waitFor()
      expect(await article.locator("output").textContent()).toContain("200")
    })
  })
})
