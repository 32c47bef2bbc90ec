import { isPassing, Refused } from "./api.ts"
import { createCheckpoints } from "./checkpoint/checkpoints.ts"
import { createRemoteStore } from "./checkpoint/remote.ts"
import type { User } from "./isolation.ts"
import type { Run } from "./run.ts"
import { nothingTold, readTold, type Told, toldFolder } from "./told.ts"

type Folders = {
  /** The agent's home, with its transcript. */
  home: string
  /** A folder of the daemon's own, into which its note is restored. */
  memory: string
  user: User | undefined
}

/** What anybody can fetch again is not worth keeping. */
const caches = new Set(["agent/.cache", "agent/.npm"])

/** What of a container is there again in the next one: workspace, home, and what the agent has been told. */
export const createKeep = ({ claimed, api, logs, settings, stop }: Run, { home, memory, user }: Folders) => {
  let told = nothingTold
  const leftOut = new Set<string>()
  const checkpoints = createCheckpoints({
    runId: claimed.run.id,
    roots: [
      { name: "workspace", path: settings.workspace },
      { name: "agent", path: home },
      { name: "daemon", path: memory, contents: () => toldFolder(told) },
    ],
    store: createRemoteStore(api, claimed.run.id, { reading: stop.signal, writing: stop.cancelled }),
    ...(user && { user }),
    leave: (path) => caches.has(path),
    onLeftOut: (path, why) => {
      if (!leftOut.has(path)) logs.say("daemon", `${JSON.stringify(path)} is not kept: ${why}`)
      leftOut.add(path)
    },
  })
  return {
    /** Answers whether there was anything to restore. */
    restore: async (): Promise<boolean> => {
      const segments = claimed.bundle.checkpoint?.segments
      if (!segments) return false
      await checkpoints.restore(segments)
      told = readTold(memory)
      return true
    },
    /**
     * Throws with a sentence for the person who follows the task where it cannot be stored. That of a cancelled task is not waited for:
     * nobody will ever restore it.
     */
    save: async (): Promise<void> => {
      try {
        if (await checkpoints.save()) logs.say("daemon", "The workspace is saved")
      } catch (error) {
        // What may be otherwise in a moment ends the attempt at most, and not the task.
        if (isPassing(error) || (error instanceof Refused && error.isLost)) throw error
        if (stop.cancelled.aborted) return
        throw new Error(`The workspace could not be saved: ${error instanceof Error ? error.message : error}`)
      }
    },
    told: () => told,
    tell: (now: Told) => {
      told = now
    },
  }
}

export type Keep = ReturnType<typeof createKeep>
