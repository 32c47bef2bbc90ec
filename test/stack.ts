import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { startStack } from "../local/stack.ts"
import type { RuleWiring, Wiring } from "../local/wiring.ts"
import type { App } from "./app.ts"
import { idleBundles } from "./idle-container.ts"

/** Keeps what roles made use of, for `npm run permissions`, where somebody has asked for it. */
export const keepTrace = (data: string) => {
  const folder = process.env.DORMOUSE_TRACE
  if (!folder) return
  mkdirSync(folder, { recursive: true })
  cpSync(join(data, "permissions-used.json"), join(folder, `${basename(data)}.json`))
}

interface Otherwise {
  /** Its containers do nothing, so that the test can speak for them: see container.ts. */
  idle?: boolean | "stubborn"
  isolation?: "bubblewrap" | "none"
  /** Makes the wiring another one: with a part that is out of order, for instance. */
  rewire?: (wiring: Wiring) => Wiring
}

/** A stack whose queues nobody reads but the test. */
export const withoutConsumers = (wiring: Wiring): Wiring => ({
  ...wiring,
  eventSources: wiring.eventSources.filter(({ source }) => !source.startsWith("arn:aws:sqs:")),
})

/** A stack without some of its buses' rules: what follows from those does not happen. */
export const withoutRules = (wiring: Wiring, isGone: (rule: RuleWiring) => boolean): Wiring => {
  const buses = Object.entries(wiring.buses).map(([arn, bus]) => [
    arn,
    { ...bus, rules: bus.rules.filter((rule) => !isGone(rule)) },
  ])
  return { ...wiring, buses: Object.fromEntries(buses) }
}

/** A stack that does nothing because it is time to: a test that moves the clock has no sweep but its own. */
export const withoutSchedules = (wiring: Wiring): Wiring => withoutRules(wiring, ({ schedule }) => schedule !== undefined)

/** A stack of a test's own: to move its time, to look at its counters, to kill what it runs. */
export const ownStack = async (
  env: Record<string, string> = {},
  data = mkdtempSync(join(tmpdir(), "dormouse-test-")),
  { idle = false, isolation = "none", rewire = (wiring) => wiring }: Otherwise = {},
) => {
  const wiring = rewire(JSON.parse(readFileSync(join(import.meta.dirname, "../infra/wiring.json"), "utf8")) as Wiring)
  const bundles = idle ? { bundles: idleBundles(data, { isStubborn: idle === "stubborn" }) } : {}
  const stack = await startStack({ wiring, data, ...bundles, isolation, env })
  const app: App = {
    apiUrl: stack.apiUrl,
    awsUrl: stack.awsUrl,
    credentials: stack.credentials,
    operate: async (operation) => (await stack.invoke("dormouse-operate-operate", operation)) as Record<string, string>,
  }
  return {
    ...app,
    stack,
    data,
    stop: async () => {
      await stack.stop()
      keepTrace(data)
      rmSync(data, { recursive: true, force: true })
    },
  }
}

export type OwnStack = Awaited<ReturnType<typeof ownStack>>
