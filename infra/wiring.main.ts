import { writeFileSync } from "node:fs"
import { evaluateLocal } from "./local-stack.ts"
import { wiringOf } from "./wiring.ts"

/** `npm run wiring`: writes what the embedded AWS reads. */
const wiring = wiringOf(await evaluateLocal())
writeFileSync(`${import.meta.dirname}/wiring.json`, `${JSON.stringify(wiring, null, 2)}\n`)
