import { vi } from "vitest"
import type { Caller } from "./app.ts"

const ended = ["finished", "failed", "cancelled", "expired"]

/** The task once it has ended. */
export const untilEnded = (caller: Caller, taskId: string, timeout = 60_000) =>
  vi.waitFor(
    async () => {
      const { body } = await caller.send(`GET /tasks/${taskId}`)
      if (!ended.includes(body.status)) throw new Error(`The task is still ${body.status}`)
      return body
    },
    { timeout, interval: 50 },
  )
