import type { Graph, Resource } from "../graph.ts"

export type Json = Record<string, unknown>

/** A fault put into a good stack: the policy that has to find it, what it is, and how it is done. */
export type Breakage = [policy: string, what: string, breakIt: (graph: Graph) => void]

/** A resource by its kind and name. */
export function find(graph: Graph, name: string): Resource {
  const found = graph.resources.find(
    (resource) => `${resource.type.split(":").at(-1)} ${resource.name}` === name && resource.custom,
  )
  if (!found) throw new Error(`There is no ${name}`)
  return found
}

export function edit(name: string, change: (inputs: Json) => unknown) {
  return (graph: Graph) => void change(find(graph, name).inputs)
}

export function drop(name: string) {
  return (graph: Graph) => {
    const gone = find(graph, name)
    graph.resources = graph.resources.filter((resource) => resource !== gone)
  }
}

/** Changes one statement of a policy. */
export function statement(name: string, sid: string, change: (statement: Json) => unknown) {
  return edit(name, (inputs) => {
    const policy = JSON.parse(String(inputs.policy)) as { Statement: Json[] }
    const found = policy.Statement.find(({ Sid }) => Sid === sid)
    if (!found) throw new Error(`${name} has no statement ${sid}`)
    change(found)
    inputs.policy = JSON.stringify(policy)
  })
}

export function definition(change: (text: string) => string) {
  return edit("StateMachine task", (machine) => (machine.definition = changed(String(machine.definition), change)))
}

export function body(change: (text: string) => string) {
  return edit("RestApi api", (api) => (api.body = changed(String(api.body), change)))
}

/** A change that finds nothing to change would prove nothing. */
function changed(text: string, change: (text: string) => string) {
  const result = change(text)
  if (result === text) throw new Error("The breakage changes nothing")
  return result
}
