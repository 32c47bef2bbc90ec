import { existsSync, writeFileSync } from "node:fs"
import { now } from "#core/clock.ts"
import { promiseOf } from "./promise.ts"

// `npm run freeze`: what executions and containers that start today count on, in a new file. One that is there is never written over: it may
// have been deployed.

const day = now().toISOString().slice(0, 10)
const fileOf = (date: string) => new URL(`golden/${date}.json`, import.meta.url)
const dates = [day, ...Array.from({ length: 99 }, (_, i) => `${day}-${String(i + 2).padStart(2, "0")}`)]
const date = dates.find((one) => !existsSync(fileOf(one)))!
writeFileSync(fileOf(date), `${JSON.stringify(await promiseOf(date), null, 1)}\n`)
