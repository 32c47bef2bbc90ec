import * as z from "zod"
import { setting } from "./aws.ts"

/** Where tasks run: a region, and in it the network that lets them reach what they may. */

const Runtime = z.object({
  region: z.string(),
  cluster: z.string(),
  subnets: z.array(z.string()),
  securityGroup: z.string(),
  logGroup: z.string(),
  /** Without one a container reaches nothing but what is in its network. */
  assignPublicIp: z.boolean(),
})

export type Place = z.infer<typeof Runtime>

const Runtimes = z.object({ any: Runtime, eu: Runtime, isolated: Runtime.optional() })

/** The stack has lost what the task was dispatched for. The name is the error that the execution sees: nothing to try again. */
class NoPlace extends Error {
  override readonly name = "Refused"
}

/** What decides where a task runs. */
interface Wish {
  runtimeRegion: "any" | "eu"
  internetAccess: boolean
}

/** Where a task runs. Throws `NoPlace` where this stack has no such place any more. */
export function placeOf({ runtimeRegion, internetAccess }: Wish): Place {
  const runtimes = Runtimes.parse(JSON.parse(setting("RUNTIMES")))
  const place = internetAccess ? runtimes[runtimeRegion] : runtimes.isolated
  if (!place) throw new NoPlace("This stack has no isolated network any more.")
  return place
}

/** Where a container of that place finds the API. */
export const apiUrlOf = ({ assignPublicIp }: Place) => setting(assignPublicIp ? "API_URL" : "ISOLATED_API_URL")

/** Whether a task that must not reach the internet can run here. */
export const isPossible = ({ runtimeRegion, internetAccess }: Wish) =>
  internetAccess || setting("ISOLATED_REGIONS").split(",").includes(runtimeRegion)
