import type { Graph } from "./graph.ts"
import { access } from "./policies/access.ts"
import { alarms } from "./policies/alarms.ts"
import { api } from "./policies/api.ts"
import { events } from "./policies/events.ts"
import { machine } from "./policies/machine.ts"
import { names } from "./policies/names.ts"
import { networks } from "./policies/networks.ts"
import { queues } from "./policies/queues.ts"
import { residency } from "./policies/residency.ts"
import { stores } from "./policies/stores.ts"

/** A rule over the evaluated program: what breaks it, in words. Nothing where it holds. */
export type Policy = (graph: Graph) => string[]

/** Everything that has to hold of a stack before it is deployed, by the sentence that says it. */
export const policies: Record<string, Policy> = {
  ...names,
  ...access,
  ...stores,
  ...machine,
  ...api,
  ...networks,
  ...events,
  ...queues,
  ...alarms,
  ...residency,
}
