import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import type { BuildOptions, Metafile, Plugin } from "esbuild"
import { parse } from "yaml"
import { stampOf } from "./stamp.ts"
import { inTurn } from "./turn.ts"

/** Folders of `functions/` in which every file is one Lambda. */
const folders = ["api", "agent", "operate", "gateway", "lifecycle", "reactions"]
const programs = ["main", "runner"]

export interface Built {
  /** False when the bundles that were there are those of these sources. */
  fresh: boolean
  /** Folder that holds them. */
  folder: string
  /** Path below the folder. */
  files: string[]
}

/**
 * Bundles every function and the programs of the task image of the project at `root` into `dist/`, unless nothing has changed since.
 * The new bundles are moved to where the old ones were once all of them are there. Throws what esbuild finds wrong.
 */
export async function build(root: string): Promise<Built> {
  const folder = join(root, "dist")
  const current = upToDate(root, folder)
  if (current) return current
  mkdirSync(folder, { recursive: true })
  return inTurn(folder, async () => upToDate(root, folder) ?? (await make(root, folder)))
}

function upToDate(root: string, folder: string): Built | undefined {
  const kept = readStamp(folder)
  return kept?.stamp === stampOf(root) ? { fresh: false, folder, files: kept.files } : undefined
}

async function make(root: string, folder: string): Promise<Built> {
  const stamp = stampOf(root)
  const work = join(folder, "new")
  rmSync(work, { recursive: true, force: true })
  try {
    const files = [
      ...(await bundleFunctions(root, work)),
      ...(await bundleTaskImage(root, work)),
      ...(await bundleSkills(root, work)),
    ]
    copyDocuments(root, work)
    copyPi(root, work)
    copyStart(root, work)
    for (const part of ["functions", "task-image"]) replace(join(folder, part), join(work, part))
    writeFileSync(join(folder, "stamp.json"), JSON.stringify({ stamp, files }))
    return { fresh: true, folder, files }
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

const readStamp = (folder: string): { stamp: string; files: string[] } | undefined => {
  const path = join(folder, "stamp.json")
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : undefined
}

/** Zod brings its messages in all languages, of which nothing but the English ones is ever asked for. */
const englishOnly: Plugin = {
  name: "english-only",
  setup({ onResolve }) {
    onResolve({ filter: /\/locales\/index\.js$/ }, ({ path, resolveDir }) =>
      /[\\/]zod[\\/]v4[\\/]/.test(resolveDir) ? { path: join(resolveDir, path, "..", "en.js") } : undefined,
    )
  },
}

/** The SDK's ES modules let go of what is not used; its CommonJS ones do not. */
const shared: BuildOptions = {
  bundle: true,
  platform: "node",
  target: "node24",
  minify: true,
  legalComments: "none",
  sourcemap: "external",
  mainFields: ["module", "main"],
  metafile: true,
  logLevel: "silent",
  plugins: [englishOnly],
}

/** The AWS SDK's packages of which `sdk/` has what is used, in few lines. */
const sdk = join(import.meta.dirname, "sdk")
const smallSdk: Plugin = {
  name: "small-sdk",
  setup({ onResolve }) {
    onResolve({ filter: /^@aws-sdk\// }, ({ path }) => {
      const file = join(sdk, `${basename(path)}.ts`)
      return existsSync(file) ? { path: file } : undefined
    })
  },
}

/**
 * ElectroDB holds the model of each entity against a JSON schema when it is made: a third of the time that a function takes to start, for
 * models that do not change. Tests make them all unbundled, with the check.
 */
const modelsAsTheyAre: Plugin = {
  name: "models-as-they-are",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^jsonschema$/ }, ({ path }) => ({ path, namespace: "models-as-they-are" }))
    onLoad({ filter: /.*/, namespace: "models-as-they-are" }, () => ({
      contents: `
        exports.Validator = class { addSchema() {} validate() { return { errors: [] } } }
        exports.Validator.prototype.customFormats = {}`,
    }))
  },
}

/**
 * ElectroDB makes an object for each attribute of an entity and for each operator with every call, whether anything asks for it or not:
 * four fifths of what a read costs. Here it makes them when they are asked for.
 */
const operatorsWhenAsked: Plugin = {
  name: "operators-when-asked",
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]electrodb[\\/]src[\\/]operations\.js$/ }, ({ path }) => ({
      contents: `${readFileSync(path, "utf8")}
        const { buildAttributes, buildOperations } = AttributeOperationProxy
        const whenAsked = (get) => new Proxy({}, { get: (_, name) => get(name) })
        AttributeOperationProxy.buildAttributes = (builder, attributes) =>
          whenAsked((name) => buildAttributes(builder, Object.hasOwn(attributes, name) ? { [name]: attributes[name] } : {})[name])
        AttributeOperationProxy.buildOperations = (builder, operations) => {
          let made
          return whenAsked((name) => (made ??= buildOperations(builder, operations))[name])
        }`,
    }))
  },
}

/** How a function is bundled: as CommonJS, since a bundle of it starts faster on Lambda than one of ES modules. */
export const functionOptions: BuildOptions = {
  ...shared,
  plugins: [englishOnly, smallSdk, modelsAsTheyAre, operatorsWhenAsked],
  format: "cjs",
  outExtension: { ".js": ".cjs" },
}

async function bundleFunctions(root: string, work: string): Promise<string[]> {
  const entries = folders.flatMap((folder) => entriesOf(root, folder))
  return bundle(work, { ...functionOptions, entryPoints: Object.fromEntries(entries) })
}

const entriesOf = (root: string, folder: string) => {
  const path = join(root, "functions", folder)
  const files = existsSync(path) ? readdirSync(path) : []
  return files
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
    .map((file): [string, string] => [`functions/${folder}/${basename(file, ".ts")}/index`, join(path, file)])
}

async function bundleTaskImage(root: string, work: string): Promise<string[]> {
  const entries = programs
    .map((name): [string, string] => [`task-image/${name}`, join(root, "task-image", "daemon", `${name}.ts`)])
    .filter(([, path]) => existsSync(path))
  const external = ["@earendil-works/pi-coding-agent"]
  return bundle(work, {
    ...shared,
    entryPoints: Object.fromEntries(entries),
    external,
    format: "esm",
    outExtension: { ".js": ".mjs" },
  })
}

/** What is written for CommonJS has a `require`, in a bundle that is an ES module too. */
export const withRequire = {
  js: 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);',
}

/** The `skills` CLI with all that it needs, in one file. */
async function bundleSkills(root: string, work: string): Promise<string[]> {
  return bundle(work, {
    ...shared,
    entryPoints: { "task-image/skills": join(root, "node_modules", "skills", "dist", "cli.mjs") },
    banner: withRequire,
    format: "esm",
    outExtension: { ".js": ".mjs" },
  })
}

async function bundle(work: string, options: BuildOptions): Promise<string[]> {
  mkdirSync(work, { recursive: true })
  if (Object.keys(options.entryPoints ?? {}).length === 0) return []
  // Loading esbuild takes longer than finding out that there is nothing to do.
  const { build: run } = await import("esbuild")
  const { metafile } = await run({ ...options, outdir: work, absWorkingDir: work })
  return Object.keys((metafile as Metafile).outputs).filter((file) => !file.endsWith(".map"))
}

/** The functions that answer with the API's description, or make a page of it, have what they need beside themselves. */
function copyDocuments(root: string, work: string) {
  const from = join(root, "openapi")
  copyReference(from, join(work, "functions", "api", "docs"))
  const documents = existsSync(from) ? readdirSync(from).filter((file) => file.endsWith(".yaml")) : []
  for (const file of documents) cpSync(join(from, file), join(work, "functions", "api", "openapi", file))
}

/** The page's function reads JSON: a parser of YAML would be the largest part of it. */
function copyReference(from: string, to: string) {
  const parts = join(from, "reference")
  if (!existsSync(parts)) return
  cpSync(parts, to, { recursive: true })
  writeFileSync(join(to, "openapi.json"), JSON.stringify(parse(readFileSync(join(from, "openapi.yaml"), "utf8"))))
}

/** The agent's runtime is a bundle already, of modules that load each other by file: it is taken as it comes. */
function copyPi(root: string, work: string) {
  const from = join(root, "node_modules", "@earendil-works", "pi-coding-agent")
  for (const part of ["package.json", "dist/bundle"]) {
    cpSync(join(from, part), join(work, "task-image", "pi", part), { recursive: true })
  }
}

function copyStart(root: string, work: string) {
  const script = join("task-image", "start.sh")
  if (existsSync(join(root, script))) cpSync(join(root, script), join(work, script))
}

function replace(folder: string, made: string) {
  if (existsSync(folder)) renameSync(folder, `${made}.old`)
  if (existsSync(made)) renameSync(made, folder)
}
