import { writeFileSync } from "node:fs"
import { now } from "#core/clock.ts"
import { promiseOf } from "./promise.ts"

// `npm run freeze`: what executions and containers that start today count on, in a file of its day. Those of other days stay as they are.

const date = now().toISOString().slice(0, 10)
const file = new URL(`golden/${date}.json`, import.meta.url)
writeFileSync(file, `${JSON.stringify(await promiseOf(date), null, 1)}\n`)
