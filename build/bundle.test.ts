import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { build } from "./bundle.ts"

let root: string

const write = (path: string, text: string) => {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "dormouse-build-"))
  symlinkSync(join(import.meta.dirname, "..", "node_modules"), join(root, "node_modules"))
  write("package.json", JSON.stringify({ type: "module", imports: { "#core/*": "./core/*" } }))
  write("core/word.ts", `export const word: string = "first"`)
  write("functions/api/tasks.ts", `import { word } from "#core/word.ts"\nexport const handler = async () => word`)
  write("functions/api/tasks.test.ts", `throw new Error("a test is no function")`)
  write("functions/http/serve.ts", "export const serve = 1")
  write("openapi/openapi.yaml", "openapi: 3.0.3\n")
  write("task-image/start.sh", "exec true\n")
  write("task-image/daemon/main.ts", `export const address = import.meta.url`)
})

afterEach(() => rmSync(root, { recursive: true, force: true }))

const load = (path: string) => {
  const file = join(root, "dist", path)
  const require = createRequire(import.meta.url)
  delete require.cache[file]
  return require(file) as { handler: () => Promise<string> }
}

test("every function becomes a CommonJS bundle, the daemon an ES module, documents and pi are copied", async () => {
  const { fresh, files } = await build(root)
  expect(fresh).toBe(true)
  expect(files.toSorted((a, b) => a.localeCompare(b))).toEqual([
    "functions/api/tasks/index.cjs",
    "task-image/main.mjs",
    "task-image/skills.mjs",
  ])
  expect(await load("functions/api/tasks/index.cjs").handler()).toBe("first")
  expect(existsSync(join(root, "dist/functions/api/tasks/index.cjs.map"))).toBe(true)
  expect(readFileSync(join(root, "dist/functions/api/openapi/openapi.yaml"), "utf8")).toBe("openapi: 3.0.3\n")
  expect(existsSync(join(root, "dist/task-image/pi/dist/bundle/index.js"))).toBe(true)
  expect(readFileSync(join(root, "dist/task-image/start.sh"), "utf8")).toBe("exec true\n")
})

test("is done again only when a source has changed, and forgets functions that are gone", async () => {
  write("functions/api/old.ts", "export const handler = 1")
  await build(root)
  expect((await build(root)).fresh).toBe(false)

  write("core/word.ts", `export const word: string = "later"`)
  rmSync(join(root, "functions/api/old.ts"))
  expect((await build(root)).fresh).toBe(true)
  expect(await load("functions/api/tasks/index.cjs").handler()).toBe("later")
  expect(existsSync(join(root, "dist/functions/api/old"))).toBe(false)
})

test("a file that was only touched counts as changed, and a test never does", async () => {
  await build(root)
  write("functions/api/tasks.test.ts", "changed")
  expect((await build(root)).fresh).toBe(false)
  utimesSync(join(root, "core/word.ts"), 1, 1)
  expect((await build(root)).fresh).toBe(true)
})

test("two that build at once do the work once", async () => {
  const both = await Promise.all([build(root), build(root)])
  expect(both.filter(({ fresh }) => fresh)).toHaveLength(1)
  expect(await load("functions/api/tasks/index.cjs").handler()).toBe("first")
})

test("a source that does not compile leaves the bundles as they were", async () => {
  await build(root)
  write("core/word.ts", "export const word =")
  await expect(build(root)).rejects.toThrow("word.ts")
  expect(await load("functions/api/tasks/index.cjs").handler()).toBe("first")
  expect(existsSync(join(root, "dist/new"))).toBe(false)
})

test("ElectroDB asks of DynamoDB in a bundle what it asks for outside of one", async () => {
  write(
    "core/thing.ts",
    `import { Entity } from "electrodb"
    const key = { field: "pk", composite: ["id"] }
    const attributes = { id: { type: "string" }, count: { type: "number" }, note: { type: "string" }, tags: { type: "list", items: { type: "string" } } }
    const Thing = new Entity({ model: { service: "s", entity: "thing", version: "1" }, attributes, indexes: { byId: { pk: key, sk: { field: "sk", composite: [] } } } }, { table: "t" })
    export const calls = () => [
      Thing.get([{ id: "1" }, { id: "2" }]).params(),
      Thing.patch({ id: "1" }).set({ note: "n" }).add({ count: 1 }).remove(["tags"]).where(({ count, tags }, { lt, eq, size, name }) => \`\${lt(count, 2)} AND \${eq(tags[0], "x")} AND \${size(tags)} > \${name(count)}\`).params(),
      Thing.update({ id: "1" }).data(({ count, tags }, { set, append, add }) => [append(tags, ["y"]), add(count, 3)]).params(),
      Thing.query.byId({ id: "1" }).where(({ nothing, note }, { begins }) => nothing === undefined ? begins(note, "a") : "").params(),
    ]`,
  )
  write(
    "functions/api/tasks.ts",
    `import { calls } from "#core/thing.ts"\nexport const handler = async () => JSON.stringify(calls())`,
  )
  await build(root)
  const { calls } = (await import(join(root, "core/thing.ts"))) as { calls(): unknown }
  const said = await load("functions/api/tasks/index.cjs").handler()
  expect(said).toContain("list_append")
  expect(said).toBe(JSON.stringify(calls()))
})
