import type { FromAgent, HibernationRequest, ToAgent } from "./agent-messages.ts"
import { openPi } from "./pi.ts"

// The agent's process. It runs as another user where that is possible, and holds no secret: what it is told comes over IPC.

type Opening = ReturnType<typeof openPi>

let opening: Opening | undefined
let agent: Awaited<Opening> | undefined

const tell = (message: FromAgent) => void process.send?.(message)

let answerSleep: (refusal: string | undefined) => void = () => undefined
const askToSleep = (request: HibernationRequest) =>
  new Promise<string | undefined>((resolve) => {
    answerSleep = resolve
    tell({ is: "hibernate", request })
  })

const carryOut = async (order: ToAgent) => {
  if (order.do === "open") {
    opening = openPi(order.options, tell, askToSleep)
    agent = await opening
    return tell({ is: "ready", version: agent.version })
  }
  // Told to stop while it is being opened: there is nothing to save yet.
  if (!agent && order.do === "abort") process.exit(0)
  // What is said to it while it is being opened waits for it; later nothing may come before it that was said after it.
  if (order.do === "steer") return (agent ?? (await opening))?.steer(order.text, order.mustBeHeard)
  if (!agent) return
  if (order.do === "turn") tell({ is: "turn_end", ...(await agent.turn(order.prompt)) })
  else if (order.do === "hibernation") answerSleep(order.refusal)
  else await agent.abort()
}

process.on("message", (order: ToAgent) => {
  carryOut(order).catch((error: unknown) =>
    tell({ is: "broken", message: error instanceof Error ? error.message : String(error) }),
  )
})

// The daemon is gone: nothing may be left running.
process.on("disconnect", () => {
  const exit = () => process.exit(0)
  agent ? agent.abort().then(exit, exit) : exit()
})
