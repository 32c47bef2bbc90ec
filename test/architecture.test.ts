import { existsSync } from "node:fs"
import { basename, dirname, join, normalize } from "node:path"
import { describe, expect, test } from "vitest"
import type { Route } from "#functions/http/route.ts"
import { routesOf } from "#functions/http/routes.ts"
import { importsOf, type Node, parse, root, sources, textOf, ts, walk } from "./source.ts"

/** Path of what a file imports, from the root; undefined for a package. */
const targetOf = (file: string, specifier: string) => {
  if (specifier.startsWith("#")) return specifier.slice(1)
  return specifier.startsWith(".") ? normalize(join(dirname(file), specifier)) : undefined
}

const shared = ["core/clock.ts", "core/limits.ts", "core/git.ts"]

/** Folder → what of ours it may import, by the beginning of the path. */
const allowed: Record<string, string[]> = {
  core: ["core/"],
  functions: ["core/", "functions/"],
  infra: ["infra/"],
  local: ["local/", "build/", ...shared],
  "task-image": ["task-image/", "core/protocol.ts", ...shared],
  openapi: ["openapi/", "core/", "functions/"],
  build: ["build/"],
  cli: ["cli/"],
}

describe("imports go one way", () => {
  test.each(Object.entries(allowed))("%s", (folder, targets) => {
    const wrong = sources(`${folder}/`).flatMap((file) =>
      importsOf(file)
        .map((specifier) => targetOf(file, specifier))
        .filter((target) => target !== undefined && !targets.some((prefix) => target.startsWith(prefix)))
        .map((target) => `${file} imports ${target}`),
    )
    expect(wrong).toEqual([])
  })

  test.each([...shared, "core/protocol.ts"])("%s imports nothing of ours", (file) => {
    const isPart = (target: string | undefined) => target?.startsWith("core/protocol-") ?? true
    expect(importsOf(file).filter((specifier) => !isPart(targetOf(file, specifier)))).toEqual([])
  })

  test("core needs zod, electrodb, ulid and the AWS SDK, and no other package", () => {
    const packages = sources("core/")
      .flatMap(importsOf)
      .filter((specifier) => !/^[.#]|^node:/.test(specifier))
    expect([...new Set(packages)].filter((name) => !/^(zod|electrodb|ulid|@aws-sdk\/.+)$/.test(name))).toEqual([])
  })
})

const folders = { api: ["api"], agent: ["agent", "gateway"], gateway: ["agent", "gateway"] } as const

/** The file of a URL: the last segment that names a file in the folders that serve it. */
const fileOf = (resource: string, among: readonly string[]) => {
  const names = resource
    .split("/")
    .filter((part) => part && !part.startsWith("{"))
    .map((part) => part.replace(/\.\w+$/, ""))
  const candidates = names.reverse().flatMap((name) => among.map((folder) => `functions/${folder}/${name}.ts`))
  return candidates.find((file) => existsSync(join(root, file)))
}

const routesByFile = async () => {
  const found: { file: string; routes: Route[]; folder: keyof typeof folders }[] = []
  for (const folder of Object.keys(folders) as (keyof typeof folders)[])
    for (const file of sources(`functions/${folder}/`)) {
      const { routes } = (await import(join(root, file))) as { routes: Route[] }
      found.push({ file, routes, folder })
    }
  return found
}

describe("anything can be found", () => {
  test("a URL leads to its file: the last segment that is the name of one", async () => {
    const wrong = (await routesByFile()).flatMap(({ file, routes, folder }) =>
      routes.filter(({ resource }) => fileOf(resource, folders[folder]) !== file).map(({ name }) => `${name} stands in ${file}`),
    )
    expect(wrong).toEqual([])
  })

  test("a route leads to its rule: its handler is one call of a noun's verb, and the noun is a file in core", async () => {
    const files = (await routesByFile()).map(({ file }) => file)
    const handlers = files.flatMap((file) => handlersOf(file).map((handler) => ({ file, ...handler })))
    expect(handlers.length).toBe((await Promise.all(["api", "agent", "gateway"].map((f) => routesOf(f as "api")))).flat().length)
    expect(handlers.filter(({ noun }) => !noun)).toEqual([])
  })

  test("a state leads to its file: each that runs code has one of its name, and no file is without its state", () => {
    const { States } = JSON.parse(textOf("state-machines/task.asl.json")) as { States: Record<string, { Type: string }> }
    const states = Object.keys(States).filter((name) => States[name]!.Type === "Task")
    const files = sources("functions/lifecycle/").map((file) => basename(file, ".ts"))
    expect(files.sort()).toEqual(states.map((name) => name.toLowerCase()).sort())
  })

  test("a service leads to its file: each that the program calls is in local", () => {
    const clients = [...sources("core/"), ...sources("functions/")]
      .flatMap(importsOf)
      .flatMap((name) => /^@aws-sdk\/client-(.+)$/.exec(name)?.[1] ?? [])
    const names = [...new Set(clients)].map((client) => (client === "sfn" ? "stepfunctions" : client))
    expect(
      names.filter((name) => !existsSync(join(root, "local", name)) && !existsSync(join(root, "local", `${name}.ts`))),
    ).toEqual([])
  })

  test("every route is in exactly one table", async () => {
    const names = [...(await routesOf("api")), ...(await routesOf("agent")), ...(await routesOf("gateway"))].map(
      ({ name }) => name,
    )
    expect(names).toEqual([...new Set(names)])
  })
})

/** The handlers of a table of routes: the noun whose verb each one calls, where it is that simple. */
function handlersOf(file: string) {
  const nouns = new Map(
    [...textOf(file).matchAll(/import \* as (\w+) from "#(core\/[\w-]+\.ts)"/g)].map(([, name, path]) => [name!, path!]),
  )
  const calls = [...walk(parse(file))]
    .filter(ts.isCallExpression)
    .filter(({ expression }) => /^(route|openRoute|runRoute|claimRoute)$/.test(expression.getText()))
  return calls.map(({ arguments: [name, , handler] }) => {
    const body = handler && ts.isArrowFunction(handler) ? handler.body : undefined
    const called =
      body && ts.isCallExpression(body) && ts.isPropertyAccessExpression(body.expression)
        ? body.expression.expression.getText()
        : ""
    return { name: name!.getText(), noun: existsSync(join(root, nouns.get(called) ?? "-")) ? called : undefined }
  })
}

const quantile = (values: number[], q: number) => values.toSorted((a, b) => a - b)[Math.ceil(values.length * q) - 1]!

describe("everything stays small", () => {
  const code = sources().filter((file) => !file.startsWith("bench/"))

  test("files: median at most 70 lines, 95 % at most 250, none over 400", () => {
    const lengths = code.map((file) => ({ file, lines: textOf(file).split("\n").length }))
    expect(lengths.filter(({ lines }) => lines > 400)).toEqual([])
    expect(
      quantile(
        lengths.map(({ lines }) => lines),
        0.95,
      ),
    ).toBeLessThanOrEqual(250)
    expect(
      quantile(
        lengths.map(({ lines }) => lines),
        0.5,
      ),
    ).toBeLessThanOrEqual(70)
  })

  test("functions: median at most 10 lines, 95 % at most 40, none over 60", () => {
    const lengths = code.flatMap((file) => functionLengths(file))
    expect(lengths.filter(({ lines }) => lines > 60)).toEqual([])
    expect(
      quantile(
        lengths.map(({ lines }) => lines),
        0.95,
      ),
    ).toBeLessThanOrEqual(40)
    expect(
      quantile(
        lengths.map(({ lines }) => lines),
        0.5,
      ),
    ).toBeLessThanOrEqual(10)
  })
})

/**
 * Lines of every function with a block for a body, without the functions inside it: those are counted by themselves, so that a
 * function which makes an object of functions counts like a class.
 */
function functionLengths(file: string) {
  const tree = parse(file)
  const line = (position: number) => tree.getLineAndCharacterOfPosition(position).line
  const span = (node: Node) => line(node.getEnd()) - line(node.getStart()) + 1
  const isFunction = (node: Node) =>
    ts.isFunctionLike(node) && "body" in node && node.body !== undefined && ts.isBlock(node.body as Node)
  const nested = (node: Node): number => {
    let lines = 0
    node.forEachChild((child) => {
      lines += isFunction(child) ? span(child) : nested(child)
    })
    return lines
  }
  return [...walk(tree)]
    .filter(isFunction)
    .map((node) => ({ file, at: line(node.getStart()) + 1, lines: span(node) - nested(node) }))
}
