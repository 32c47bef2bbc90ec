/**
 * Bugs of the kinds that matter, each a small change of the text of one file. A test that lets all of them pass would not be worth much:
 * `npm run test:mutants` plants one after the other and says which are caught.
 */

export interface Bug {
  kind: string
  file: string
  /** Stands exactly once in the file. */
  find: string
  replace: string
  /** The tests that ought to catch it. */
  tests: Tests
}

/** Which tests: the files, and a part of their names. */
const suites = {
  lives: { files: ["test/crash-points.test.ts"], name: "without a fault|broken once" },
  histories: { files: ["test/histories-of-tasks.test.ts", "test/histories-of-conversations.test.ts"] },
  lifecycle: { files: ["core/lifecycle.test.ts"] },
  settlement: { files: ["core/settlement.test.ts"] },
  sweep: { files: ["core/sweep.test.ts"] },
  signature: { files: ["core/webhook-signature.test.ts"] },
  expiry: { files: ["functions/lifecycle/park.test.ts"], name: "expires when its time is over", needsStack: true },
  claims: { files: ["functions/agent/claim.test.ts"], name: "already_claimed", needsStack: true },
  checkpoints: { files: ["functions/agent/checkpoints.test.ts"], name: "409", needsStack: true },
} satisfies Record<string, { files: string[]; name?: string; needsStack?: boolean }>

export type Tests = keyof typeof suites

export const suiteOf = (tests: Tests): { files: string[]; name?: string; needsStack?: boolean } => suites[tests]

export const bugs: Bug[] = [
  {
    kind: "a dropped condition: two changes of a task at once are both written",
    file: "core/transition.ts",
    find: "eq(version, before.version)",
    replace: "`${eq(version, before.version)} OR NOT ${eq(version, before.version)}`",
    tests: "lives",
  },
  {
    kind: "a version that does not go up",
    file: "core/transition.ts",
    find: "version: task.version + 1,",
    replace: "version: task.version,",
    tests: "lives",
  },
  {
    kind: "lost events: a change without those that tell of it",
    file: "core/transition.ts",
    find: "...Event.writes({ ...after, eventSequence: task.eventSequence }, events, at),",
    replace: "",
    tests: "histories",
  },
  {
    kind: "two events are counted as one",
    file: "core/transition.ts",
    find: "eventSequence: task.eventSequence + events.length,",
    replace: "eventSequence: task.eventSequence + Math.min(events.length, 1),",
    tests: "histories",
  },
  {
    kind: "a lost signal: nobody ends the waiting of the execution",
    file: "core/transition.ts",
    find: "signal: change.close && waitId ?",
    replace: "signal: change.close === 'Hibernate' && waitId ?",
    tests: "histories",
  },
  {
    kind: "a wait for a message that has no end",
    file: "core/transition.ts",
    find: "awaitUntilAt: later(at, task.sessionTtlSeconds ?? limits.sessionTtlSeconds.default),",
    replace: "awaitUntilAt: later(at, limits.sessionTtlSeconds.default),",
    tests: "expiry",
  },
  {
    kind: "a double start: a start that is made again is another container",
    file: "core/fargate.ts",
    find: "clientToken: token,",
    replace: "clientToken: `${token}${Math.random()}`.slice(0, 64),",
    tests: "lives",
  },
  {
    kind: "a double start: a retried entry begins anew",
    file: "core/attempt.ts",
    find: "if (run.entry !== waiting.entry) return undefined",
    replace: "if (run.entry === waiting.entry) return undefined",
    tests: "lives",
  },
  {
    kind: "two starts of one entry: the later one gives up the run of the other",
    file: "core/attempt.ts",
    find: "task.runId === before.runId ? undefined : await resume(task, waiting)",
    replace: "undefined as RunRow | undefined",
    tests: "lives",
  },
  {
    kind: "an execution that has handed its task over starts a run",
    file: "core/attempt.ts",
    find: 'if (task.generation > generation) return goOn(task, waiting.token, "Superseded")',
    replace: "",
    tests: "lives",
  },
  {
    kind: "a container that nobody can stop, since the call that started it could not say which one it is",
    file: "core/attempt.ts",
    find: "run.containerArn ?? (await Fargate.find(run, startedBy(run)))",
    replace: "run.containerArn",
    tests: "lives",
  },
  {
    kind: "a lost container that goes on, since the first try to stop it failed",
    file: "core/attempt.ts",
    find: '(isLive(run) || run.status === "lost")',
    replace: "isLive(run)",
    tests: "lives",
  },
  {
    kind: "a container that runs on after its task was cancelled",
    file: "core/attempt.ts",
    find: 'await stop(await Run.row({ accountId, taskId, runId: task.runId }), "The task has ended")',
    replace: "await Run.row({ accountId, taskId, runId: task.runId })",
    tests: "lives",
  },
  {
    kind: "no end to attempts",
    file: "core/attempt.ts",
    find: "if (task.losses >= limits.attempts)",
    replace: "if (task.losses > limits.attempts)",
    tests: "histories",
  },
  {
    kind: "a wake that falls in between: the park looks only before its token is there",
    file: "core/park.ts",
    find: "if (after.waitId !== task.waitId) return goOn(after, waiting.token)",
    replace: "",
    tests: "lives",
  },
  {
    kind: "a token that is not revoked: a run that has ended renews its lease",
    file: "core/run.ts",
    find: '.where(({ status }, { eq }) => eq(status, "claimed"))',
    replace: ".where(({ status }, { exists }) => exists(status))",
    tests: "lives",
  },
  {
    kind: "a dead attempt ends the run of the next one",
    file: "core/run.ts",
    find: "(task.runId === ref.runId ? decide(task) : undefined)",
    replace: "decide(task)",
    tests: "lives",
  },
  {
    kind: "a second container takes up a run that is taken",
    file: "core/run.ts",
    find: 'if (taken.tokenHash !== run_token_hash) throw new Problem("already_claimed")',
    replace: "",
    tests: "claims",
  },
  {
    kind: "a head that a dead attempt moves",
    file: "core/checkpoint.ts",
    find: 'run: check(RunEntity.delete(ref).where(({ status }, { eq }) => eq(status, "claimed"))),\n    checkpoint: CheckpointEntity',
    replace: "run: undefined,\n    checkpoint: CheckpointEntity",
    tests: "checkpoints",
  },
  {
    kind: "a quota that is not given back when a task ends",
    file: "core/checkpoint.ts",
    find: "account: count(accountId, -row.bytes),",
    replace: "",
    tests: "lives",
  },
  {
    kind: "a reservation that is not given back",
    file: "core/billing.ts",
    find: "const back = release ? task.reservedMicros : 0",
    replace: "const back = release ? 0 : 0",
    tests: "lives",
  },
  {
    kind: "container time that nobody is charged for",
    file: "core/settlement.ts",
    find: "...Billing.settle(task, { ...charge, release",
    replace: "...Billing.settle(task, { release",
    tests: "lives",
  },
  {
    kind: "a place that is not given back when a container leaves",
    file: "core/billing.ts",
    find: "...(leaves ? { running: -1 } : {})",
    replace: "...(leaves ? {} : {})",
    tests: "lives",
  },
  {
    kind: "more containers than an account may have",
    file: "core/billing.ts",
    find: "lt(running, quotas().runningTasks)",
    replace: "lt(running, 2 * quotas().runningTasks)",
    tests: "lives",
  },
  {
    kind: "model requests that are lost where they are counted while the run ends",
    file: "core/settlement.ts",
    find: "eq(row.requests, run.requests), ",
    replace: "",
    tests: "settlement",
  },
  {
    kind: "a reported cost that is lost where it comes while the run ends",
    file: "core/settlement.ts",
    find: ", eq(row.modelCostMicros, run.modelCostMicros)]",
    replace: "]",
    tests: "settlement",
  },
  {
    kind: "a sweeper that stops at the first row it cannot mend",
    file: "core/sweep.ts",
    find: "i < work.length;",
    replace: "i < work.length && failures.length === 0;",
    tests: "sweep",
  },
  {
    kind: "a task of whose beginning the executions never hear",
    file: "core/publication.ts",
    find: 'if (event.type === "task.created") await start',
    replace: 'if (event.type === "task.finished") await start',
    tests: "lives",
  },
  {
    kind: "a signature that leaves out when it was made",
    file: "core/webhook-signature.ts",
    find: "`${id}.${timestamp}.${body}`",
    replace: "`${id}.${body}`",
    tests: "signature",
  },
  {
    kind: "a webhook that is signed with the old secret alone",
    file: "core/webhook-signature.ts",
    find: "secrets.map((secret)",
    replace: "secrets.slice(1).map((secret)",
    tests: "signature",
  },
  {
    kind: "a cancelled task that finishes all the same",
    file: "core/lifecycle.ts",
    find: 'if (state.isCancelling) return end("cancelled", "failed")',
    replace: "",
    tests: "lifecycle",
  },
  {
    kind: "an end that is not final",
    file: "core/lifecycle.ts",
    find: "if (isTerminal(state.status)) return afterTheEnd(signal)",
    replace: 'if (isTerminal(state.status) && signal.kind !== "cancel") return afterTheEnd(signal)',
    tests: "lifecycle",
  },
  {
    kind: "a queued message that never gets its turn",
    file: "core/lifecycle.ts",
    find: "{ ...said, set: { queuedMessages: queuedMessages + 1 } }",
    replace: "said",
    tests: "histories",
  },
  {
    kind: "an agent that falls asleep over a message it has not seen",
    file: "core/lifecycle.ts",
    find: 'return signal.isBehind || queuedMessages > 0 ? { problem: "message_waiting" } : sleep',
    replace: "return sleep",
    tests: "lifecycle",
  },
]
