import { createHash } from "node:crypto"
import { readdir, readFile } from "node:fs/promises"
import type { Isolation } from "./isolation.ts"

/**
 * What an agent has started is found again by three marks. The environment is the plain one, and gone where a program overwrites it, as
 * Perl and PostgreSQL do for their titles, or is started without it. A limit stays through all of that, and nobody but root can raise it
 * again: the one for locks of files, which Linux has not kept since 2.4, is lowered to a number of the run's own. And where the daemon is
 * the first process of a container, whatever belongs to the agent's user is the agent's; elsewhere that may be anybody's.
 */
type Marks = { setting: string; limit: RegExp; uid: number | undefined }

/** Below any limit that there is by default, and hardly ever the same for two runs. */
const numberOf = (runId: string) => 2 ** 48 + createHash("sha256").update(runId).digest().readUIntBE(0, 6)

/** A command that runs the command after it with the limit. Shells call it -w, as dash and busybox, or -x, as bash. */
export const marked = (runId: string): string[] => {
  const lower = (option: string) => `ulimit ${option} ${numberOf(runId)} 2> /dev/null`
  return ["/bin/sh", "-c", `${lower("-w")} || ${lower("-x")}; exec "$@"`, "sh"]
}

/** A process that cannot be ended, as one that waits for a disk, is not waited for without an end. */
const passesMax = 200

/** Kills what a run's agent has started, the agent too unless it is `spared`, and does not go before all of it is gone. */
export const killMarked = async (runId: string, { user }: Isolation, isSpared: (found: Found) => boolean) => {
  const limit = new RegExp(`^Max file locks +\\S+ +${numberOf(runId)} `, "m")
  const marks: Marks = { setting: `DORMOUSE_AGENT=${runId}`, limit, uid: process.pid === 1 ? user?.uid : undefined }
  // While some are killed, others are started by those whose turn it is not yet.
  for (let pass = 0; pass < passesMax; pass++) {
    const meant = (await findMarked(marks)).filter((found) => !isSpared(found))
    if (meant.length === 0) return
    for (const { pid } of meant) killQuietly(pid)
  }
}

export const killQuietly = (pid: number) => {
  try {
    process.kill(pid, "SIGKILL")
  } catch {
    // It has ended by itself meanwhile.
  }
}

export type Found = { pid: number; commandLine: string }

/** None where there is no /proc. */
const findMarked = async (marks: Marks): Promise<Found[]> => {
  const names = await readdir("/proc").catch(() => [])
  const pids = names.map(Number).filter((pid) => Number.isInteger(pid) && pid !== process.pid)
  const found = await Promise.all(
    pids.map(async (pid) => {
      const read = (name: string) => readFile(`/proc/${pid}/${name}`, "utf8").catch(() => "")
      return (await isMarked(marks, read)) ? [{ pid, commandLine: await read("cmdline") }] : []
    }),
  )
  return found.flat()
}

const isMarked = async ({ setting, limit, uid }: Marks, read: (name: string) => Promise<string>): Promise<boolean> => {
  const status = await read("status")
  // One that has ended and that nobody has asked about yet has its limits and its user still.
  if (/^State:\s+[ZX]/m.test(status)) return false
  if (uid !== undefined && new RegExp(`^Uid:.*\\b${uid}\\b`, "m").test(status)) return true
  return limit.test(await read("limits")) || (await read("environ")).split("\0").includes(setting)
}
