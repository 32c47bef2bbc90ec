import FakeTimers from "@sinonjs/fake-timers"

/** Simulated time: it stands still while anything is to be done, and then goes on to whatever is due next. */

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

export const simulateTime = () => {
  const clock = FakeTimers.install({
    now: Date.UTC(2026, 0, 1),
    toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date"],
  })
  let moves = 0

  /** Lets everything be done that takes no time. */
  const settle = async () => {
    for (let quiet = 0, before = moves; quiet < 3; quiet++, before = moves) {
      await turn()
      if (moves !== before) quiet = -1
    }
  }

  /** The answer of `look` once it is there. Rejects when it is not after so much time. */
  const until = async <Answer>(
    look: () => Answer | undefined | false | Promise<Answer | undefined | false>,
    patienceMs = 3 * 3_600_000,
  ): Promise<Answer> => {
    const deadline = clock.now + patienceMs
    for (;;) {
      await settle()
      const answer = await look()
      if (answer !== undefined && answer !== false) return answer
      if (clock.now > deadline) throw new Error("What a test waits for does not come")
      clock.next()
    }
  }

  return {
    settle,
    until,
    /** Says that something is going on. It takes a moment: nothing ever happens at the very same time as what it follows from. */
    move: () => {
      moves++
      clock.tick(1)
    },
    /** The outcome of work that may take time. */
    drive: async <Result>(work: Promise<Result>): Promise<Result> => {
      let isDone = false
      const done = () => {
        isDone = true
      }
      work.then(done, done)
      await until(() => isDone)
      return work
    },
    /** Lets time pass, and everything happen that is due in it. */
    pass: async (ms: number) => {
      let isOver = false
      setTimeout(() => {
        isOver = true
      }, ms)
      await until(() => isOver, ms + 1)
    },
    /** Skips time at once: what was due in it is due now, and what comes at intervals comes once. */
    skip: async (ms: number) => {
      clock.jump(ms)
      await settle()
    },
    release: () => clock.uninstall(),
  }
}
