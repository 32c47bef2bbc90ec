import { readFileSync } from "node:fs"
import { createRequire } from "node:module"

/** The properties of a resource type: those that the program gives, and those that only AWS knows. */
export interface Shape {
  inputs: Set<string>
  outputs: Set<string>
}

const require = createRequire(import.meta.url)
const shapes = new Map<string, Shape>()

/** Reads the shape off the generated constructor, which marks what only AWS knows as `out`. */
export function shapeOf(type: string): Shape {
  const known = shapes.get(type)
  if (known) return known
  const source = sourceOf(type)
  const shape = {
    inputs: names(source, /resourceInputs\["(\w+)"\] = (?!undefined)/g),
    outputs: names(source, /resourceInputs\["(\w+)"\] = undefined \/\*out\*\//g),
  }
  shapes.set(type, shape)
  return shape
}

const names = (source: string, pattern: RegExp) => new Set([...source.matchAll(pattern)].map(([, name]) => name ?? ""))

function sourceOf(type: string): string {
  const [, path] = /^aws:([\w/]+):\w+$/.exec(type) ?? []
  if (!path) throw new Error(`${type} is no resource of AWS`)
  return readFileSync(require.resolve(`@pulumi/aws/${path}.js`), "utf8")
}
