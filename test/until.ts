import type { Caller } from "./app.ts"

interface Patience {
  /** Milliseconds. */
  timeout: number
  interval: number
}

/** Tries something again until it no longer fails, also where no test runs. Fails as the last try did. */
export async function untilItWorks<Result>(work: () => Promise<Result>, { timeout, interval }: Patience): Promise<Result> {
  const began = performance.now()
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (performance.now() - began > timeout) throw error
      await new Promise((resolve) => setTimeout(resolve, interval))
    }
  }
}

const ended = ["finished", "failed", "cancelled", "expired"]

/** The task once it has ended. */
export const untilEnded = (caller: Caller, taskId: string, timeout = 60_000) =>
  untilItWorks(
    async () => {
      const { body } = await caller.send(`GET /tasks/${taskId}`)
      if (!ended.includes(body.status)) throw new Error(`The task is still ${body.status}`)
      return body
    },
    { timeout, interval: 50 },
  )
