import { arnOf, every, type Graph, nameOf, type Of, text } from "../graph.ts"
import type { Wiring } from "./types.ts"

/** Every function by its name. */
export function functionWiring(graph: Graph): Wiring["functions"] {
  // The private API of an isolated network is found at the same address here: see `local/stack.ts`.
  const apiUrls = every(graph, "apigateway/stage:Stage").map((stage) => text(stage, "invokeUrl"))
  return Object.fromEntries(
    every(graph, "lambda/function:Function").map((fn) => [
      nameOf(fn),
      {
        arn: arnOf(fn),
        bundle: bundleOf(fn),
        handler: fn.inputs.handler ?? "",
        environment: withPlaceholders(fn.inputs.environment?.variables ?? {}, apiUrls),
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

const withPlaceholders = (environment: Record<string, string>, apiUrls: string[]) =>
  Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [
      name,
      name.endsWith("_BASE_URL") ? `{{${name}}}` : apiUrls.reduce((text, url) => text.replaceAll(url, "{{API_URL}}"), value),
    ]),
  )
