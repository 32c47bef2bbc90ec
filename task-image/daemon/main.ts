import { createStop } from "./limits.ts"
import { carryOut } from "./run.ts"

// The daemon of the task image: claims the run that its container was started for, has the agent do it, reports, and ends.

/** A setting from the environment, which must be there. */
const setting = (name: string) => {
  const value = process.env[name]
  if (value) return value
  console.error(`${name} is not set`)
  process.exit(1)
}

const settings = {
  apiUrl: setting("DORMOUSE_API_URL").replace(/\/$/, ""),
  claimToken: setting("DORMOUSE_CLAIM_TOKEN"),
  workspace: process.env.DORMOUSE_WORKSPACE || "/workspace",
  gitConfig: process.env.DORMOUSE_GIT_CONFIG || undefined,
  notices: (process.env.DORMOUSE_NOTICE ?? "").split("\n").filter(Boolean),
}
const stop = createStop()
process.on("SIGTERM", () => stop.request("terminated"))
process.on("SIGINT", () => stop.request("terminated"))

try {
  process.exit(await carryOut(settings, stop, console.log))
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}
