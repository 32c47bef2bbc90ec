import { openLab, survey, tryPoints } from "./lab.ts"
import type { Tried } from "./main.ts"

// One of the processes of `npm run crash-points`: every so many points, told to the process that asked.

const [shard = 0, shards = 1] = process.argv.slice(2).map(Number)
const lab = await openLab()
const { normal, points } = await survey(lab)
const own = points.filter((_, i) => i % shards === shard)
const broken = await tryPoints(lab, own, normal)
const tried: Tried[] = own.map((point) => ({ ...point, wrong: broken.get(point) ?? [] }))
await lab.close()
process.send!(tried, () => process.exit(0))
