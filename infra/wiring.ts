import { arnOf, every, type Graph, nameOf } from "./graph.ts"
import { statementsOfRole } from "./statements.ts"
import { apiWiring } from "./wiring/api.ts"
import { bucketWiring } from "./wiring/buckets.ts"
import { busWiring } from "./wiring/buses.ts"
import { functionWiring } from "./wiring/functions.ts"
import { queueWiring } from "./wiring/queues.ts"
import { eventSourceWiring, tableWiring } from "./wiring/tables.ts"
import type { Wiring } from "./wiring/types.ts"

/**
 * What the embedded AWS has to know of a stack, derived from nothing but the evaluated program. Addresses that differ from machine
 * to machine are placeholders: `{{API_URL}}`, `{{ANTHROPIC_BASE_URL}}` and its like.
 */
export const wiringOf = (graph: Graph): Wiring => ({
  region: graph.region,
  account: graph.account,
  functions: functionWiring(graph),
  roles: rolesOf(graph),
  api: apiWiring(graph),
  tables: tableWiring(graph),
  buckets: bucketWiring(graph),
  keys: keysOf(graph),
  buses: busWiring(graph),
  queues: queueWiring(graph),
  eventSources: eventSourceWiring(graph),
  scheduleGroups: every(graph, "scheduler/scheduleGroup:ScheduleGroup").map(nameOf),
  stateMachines: machinesOf(graph),
  clusters: clustersOf(graph),
})

const rolesOf = (graph: Graph): Wiring["roles"] =>
  Object.fromEntries(
    every(graph, "iam/role:Role").map((role) => [
      arnOf(role),
      statementsOfRole(graph, role).map(({ effect, actions, resources, condition }) => ({
        effect,
        actions,
        resources,
        ...(condition && { condition }),
      })),
    ]),
  )

const keysOf = (graph: Graph): Wiring["keys"] =>
  every(graph, "kms/key:Key").map((key) => ({
    arn: arnOf(key),
    region: key.region ?? graph.region,
    usage: key.inputs.keyUsage === "GENERATE_VERIFY_MAC" ? "GENERATE_VERIFY_MAC" : "ENCRYPT_DECRYPT",
  }))

const machinesOf = (graph: Graph): Wiring["stateMachines"] =>
  Object.fromEntries(
    every(graph, "sfn/stateMachine:StateMachine").map((machine) => [
      arnOf(machine),
      { name: nameOf(machine), role: machine.inputs.roleArn, definition: JSON.parse(machine.inputs.definition) as object },
    ]),
  )

const clustersOf = (graph: Graph): Wiring["clusters"] =>
  every(graph, "ecs/cluster:Cluster").map((cluster) => ({
    name: nameOf(cluster),
    arn: arnOf(cluster),
    region: cluster.region ?? graph.region,
  }))
