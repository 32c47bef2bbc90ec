import { invoking, machine, machinesOf, serve, waiting } from "./fixture.ts"
import { openStepFunctions } from "./service.ts"

/** A process of its own with Step Functions in it, to be killed. Tells on its standard output what happens, a JSON object a line. */

const tell = (what: object) => process.stdout.write(`${JSON.stringify(what)}\n`)
const end = { End: true }

const service = openStepFunctions({
  path: process.argv[2]!,
  machines: machinesOf({
    token: machine({
      T: waiting("quick", {
        TimeoutSeconds: 600,
        HeartbeatSeconds: 500,
        Catch: [{ ErrorEquals: ["States.Timeout"], Next: "Late" }],
        ...end,
      }),
      Late: { Type: "Pass", ...end },
    }),
    wait: machine({ W: { Type: "Wait", Seconds: 600, ...end } }),
    retry: machine({
      R: invoking("flaky", { Retry: [{ ErrorEquals: ["Flaky"], IntervalSeconds: 600, MaxAttempts: 1 }], ...end }),
    }),
    slow: machine({ S: invoking("slow", end) }),
    "slow-token": machine({ S: waiting("slow-token", end) }),
  }),
  invoke: async (name, payload) => {
    tell({ called: { function: name, payload } })
    if (name.includes(":slow")) return new Promise(() => undefined)
    if (name.endsWith(":flaky")) throw Object.assign(new Error("flaky"), { name: "Flaky" })
    return null
  },
  onStatus: (status) => tell({ status }),
})
service.start()
const { port } = await serve(service)
tell({ port })
