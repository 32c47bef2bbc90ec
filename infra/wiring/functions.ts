import { arnOf, every, type Graph, nameOf, type Of, text } from "../graph.ts"
import type { Wiring } from "./types.ts"

/** Every function by its name. */
export function functionWiring(graph: Graph): Wiring["functions"] {
  const api = every(graph, "apigateway/stage:Stage").find(({ name }) => name === "api")
  const apiUrl = api ? text(api, "invokeUrl") : ""
  return Object.fromEntries(
    every(graph, "lambda/function:Function").map((fn) => [
      nameOf(fn),
      {
        arn: arnOf(fn),
        bundle: bundleOf(fn),
        handler: fn.inputs.handler ?? "",
        environment: withPlaceholders(fn.inputs.environment?.variables ?? {}, apiUrl),
        timeoutSeconds: fn.inputs.timeout ?? 3,
        memoryMb: fn.inputs.memorySize ?? 128,
        role: fn.inputs.role,
      },
    ]),
  )
}

/** Name of the function of this ARN. */
export function functionNamed(graph: Graph, arn: string): string {
  const found = every(graph, "lambda/function:Function").find(({ state }) => state.arn === arn)
  if (!found) throw new Error(`${arn} is no function of this stack`)
  return nameOf(found)
}

/** The program runs in `infra/`, so what it packs is at `../dist/…`. */
function bundleOf(fn: Of<"lambda/function:Function">): string {
  const { $archive: path } = (fn.inputs.code ?? {}) as { $archive?: string }
  const [, bundle] = /^\.\.\/dist\/(.+)$/.exec(path ?? "") ?? []
  if (!bundle) throw new Error(`Function ${fn.name} is packed from ${path}, which is not below ../dist/`)
  return bundle
}

const withPlaceholders = (environment: Record<string, string>, apiUrl: string) =>
  Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [
      name,
      name.endsWith("_BASE_URL") ? `{{${name}}}` : value.replaceAll(apiUrl, "{{API_URL}}"),
    ]),
  )
