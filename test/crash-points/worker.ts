import { openLab, type Point, survey, tryPoint } from "./lab.ts"
import type { Tried } from "./main.ts"

// One of the processes of `npm run crash-points`: says which points there are, and tries those that it is told to, one after the other.

const lab = await openLab()
const { normal, points } = await survey(lab)
process.on("message", async (point: Point) => {
  const { wrong, isReached } = await tryPoint(lab, point, normal)
  const tried: Tried = { ...point, wrong, isReached }
  process.send!(tried)
})
process.on("disconnect", async () => {
  await lab.close()
  process.exit(0)
})
process.send!(points)
