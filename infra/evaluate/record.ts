import * as pulumi from "@pulumi/pulumi"
import type { Resource } from "../graph.ts"
import { plain } from "./plain.ts"

/** The parts of Pulumi's protocol that are read here. */
interface Struct {
  toJavaScript(): unknown
}

interface RegisterRequest {
  getType(): string
  getName(): string
  getCustom(): boolean
  getParent(): string
  getProtect(): boolean
  getObject(): Struct
  getDependenciesList(): string[]
  getPropertydependenciesMap(): { forEach(each: (urns: { getUrnsList(): string[] }, property: string) => void): void }
}

interface RegisterResponse {
  getUrn(): string
  getId(): string
  getObject(): Struct | undefined
}

type Callback = (error: unknown, response: RegisterResponse) => void

interface Monitor {
  registerResource(request: RegisterRequest, callback: Callback): unknown
}

/** Everything that the program registers from now on, by URN. Pulumi's mocks alone see neither dependencies nor protection. */
export function record(home: string): Map<string, Resource> {
  const resources = new Map<string, Resource>()
  const monitor = pulumi.runtime.getMonitor() as unknown as Monitor
  const register = monitor.registerResource.bind(monitor)
  monitor.registerResource = (request, callback) =>
    register(request, (error, response) => {
      if (!error) resources.set(response.getUrn(), describe(request, response, home))
      callback(error, response)
    })
  return resources
}

function describe(request: RegisterRequest, response: RegisterResponse, home: string): Resource {
  const type = request.getType()
  const inputs = plain(request.getObject().toJavaScript()) as Resource["inputs"]
  const state = plain(response.getObject()?.toJavaScript() ?? {}) as Resource["state"]
  return {
    urn: response.getUrn(),
    type,
    name: request.getName(),
    custom: request.getCustom(),
    ...(request.getParent() && { parent: request.getParent() }),
    ...(regional(type) && { region: String(inputs.region ?? home) }),
    inputs,
    state: { ...state, id: response.getId() },
    dependencies: request.getDependenciesList(),
    propertyDependencies: propertyDependencies(request),
    protect: request.getProtect(),
  }
}

const regional = (type: string) => type.startsWith("aws:") && !type.startsWith("aws:iam/")

function propertyDependencies(request: RegisterRequest) {
  const found: Record<string, string[]> = {}
  request.getPropertydependenciesMap().forEach((urns, property) => {
    if (urns.getUrnsList().length) found[property] = urns.getUrnsList()
  })
  return found
}
