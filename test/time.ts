import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** Lets a test move the clock of everything that it starts from then on, in this process and in others. */
export const moveTime = () => {
  const folder = mkdtempSync(join(tmpdir(), "dormouse-time-"))
  const path = join(folder, "offset")
  let offset = 0
  // Over what was there, at the same length: whoever reads a file that was emptied first jumps back in time, and a new file in its
  // place would not be seen by a container that has this one mounted.
  const write = (flag: "w" | "r+") => writeFileSync(path, String(offset).padEnd(20), { flag })
  write("w")
  process.env.DORMOUSE_CLOCK = path
  return {
    path,
    /** Moves the clock on by so many milliseconds. */
    advance: (ms: number) => {
      offset += ms
      write("r+")
    },
    /** Gives the real time back. */
    release: () => {
      delete process.env.DORMOUSE_CLOCK
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
