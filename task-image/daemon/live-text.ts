import type { z } from "zod"
import { after } from "../../core/clock.ts"
import { deltaCharacters, type SaidSoFar } from "../../core/protocol.ts"

const pauseMs = 1000
/** Where nobody follows: whoever begins to finds a text that is no older, and is there from the next put on. */
const unfollowedMs = 15_000

/** The end of a long text, without half a character at the cut. */
const cut = (text: string) => text.slice(-deltaCharacters).replace(/^[\udc00-\udfff]/, "")

/**
 * What the agent says in its turn, for whoever follows it: `put` is given all of it so far, at the first word and then at most once a
 * second, or every fifteen while it answers that nobody follows; never two at a time. Nothing depends on it, so what cannot be put is
 * left.
 */
export const createLiveText = (put: (text: string) => Promise<z.infer<typeof SaidSoFar>>) => {
  let [text, isNew, isIdle, isClosed] = ["", false, true, false]
  let cancel: () => void = () => undefined
  let putting: Promise<void> = Promise.resolve()

  const next = () => {
    isIdle = !isNew
    if (isIdle || isClosed) return
    isNew = false
    putting = putNow()
  }
  const putNow = async () => {
    const answer = await put(text).catch(() => undefined)
    if (!isClosed) cancel = after(answer?.is_followed === false ? unfollowedMs : pauseMs, next)
  }

  return {
    add: (delta: string) => {
      text = cut(text + delta)
      isNew = true
      if (isIdle) next()
    },
    /** Begins a paragraph, where something else came in between. */
    pause: () => {
      if (text && !text.endsWith("\n\n")) text = cut(`${text}\n\n`)
    },
    /** Resolves when nothing is on its way any more, or has been for long enough: the turn's end does not wait for it. */
    close: async () => {
      isClosed = true
      cancel()
      let cancelWait: () => void = () => undefined
      const longEnough = new Promise<void>((resolve) => {
        cancelWait = after(pauseMs, resolve)
      })
      await Promise.race([putting, longEnough])
      cancelWait()
    },
  }
}

export type LiveText = ReturnType<typeof createLiveText>
