import { millis } from "../../core/clock.ts"
import type { CloneSource } from "../../core/git.ts"
import { receiveSeconds } from "../../core/protocol.ts"
import { isPassing, Refused, type Turn } from "./api.ts"
import { whyFailed } from "./failure.ts"
import type { User } from "./isolation.ts"
import type { Keep } from "./keep.ts"
import { createStop, type StopCause, type watchLimits } from "./limits.ts"
import { deliver } from "./message-files.ts"
import { type Delivered, steering, turnPrompt } from "./prompts.ts"
import {
  end,
  isTaken,
  messagesOf,
  reportDone,
  reportFailure,
  reportStopped,
  settleUp,
  stoppedCode,
  storeOutputs,
} from "./report.ts"
import type { Run } from "./run.ts"
import type { Outcome, Session } from "./session.ts"
import { stopAsTold } from "./signals.ts"
import { toldBy } from "./told.ts"

/** All that the turns of a run need. */
export type Desk = {
  run: Run
  session: Session
  keep: Keep
  watch: ReturnType<typeof watchLimits>
  user: User | undefined
  /** Clones the repositories that were attached to the task since it was last asked. Answers them. */
  attach: () => Promise<CloneSource[]>
}

/**
 * What comes after a turn: another one, or more of the same, with what else is to be said in it, or the end with the exit code of the
 * process.
 */
type Next = More | { code: number }
type More = { turn: Turn; isSame?: boolean; also?: string }

/** `unbegun`: why the turn could not begin. */
type Done = Outcome & { cause: StopCause | undefined; unbegun?: string }

/** Has the agent do turn after turn, to the end of the run, and reports it. Answers with the exit code of the process. */
export const conduct = async (desk: Desk): Promise<number> => {
  let next: Next = { turn: desk.run.claimed.bundle.turn }
  while ("turn" in next) next = await finishTurn(desk, next.turn, await doTurn(desk, next).catch(whereStopped(desk)))
  return next.code
}

/** A turn whose files or repositories were still on their way when the run was stopped: what was done before it is to be kept. */
const whereStopped =
  ({ run }: Desk) =>
  (error: unknown): Done => {
    const cause = run.stop.cause()
    if (!cause || error !== cause) throw error
    return { sleep: undefined, refusal: undefined, cause }
  }

/** What cannot be made ready for a turn of a conversation is no reason to end that. */
const whereUnprepared =
  ({ run }: Desk, { mode }: Turn) =>
  (error: unknown): { unbegun: string } => {
    const isOfRun = error === run.stop.cause() || isPassing(error) || (error instanceof Refused && error.isLost)
    if (isOfRun || mode !== "conversation") throw error
    return { unbegun: error instanceof Error ? error.message : String(error) }
  }

/** What the agent is told, once that is there which it is told of. */
const prepareTurn = async (desk: Desk, { turn, isSame, also }: More) => {
  const { run, keep } = desk
  const attached = also === undefined ? await desk.attach() : []
  // Last, since what is interrupted takes back its own and nothing else: a file that stayed would be laid again beside itself.
  const delivered = await deliverTo(desk, turn, keep.told().after, run.stop.signal)
  const begin = () => turnPrompt({ bundle: run.claimed.bundle, turn, told: keep.told(), delivered, attached })
  return { prompt: also ?? (isSame ? steering(delivered) : begin()) }
}

const doTurn = async (desk: Desk, more: More): Promise<Done> => {
  const { run, session, keep, watch } = desk
  const { bundle } = run.claimed
  const { turn } = more
  const stop = createStop(run.stop)
  // What is made ready for it is of its time.
  watch.startTurn(stop)
  try {
    const prepared = await prepareTurn(desk, more).catch(whereUnprepared(desk, turn))
    if ("unbegun" in prepared) return { ...prepared, sleep: undefined, refusal: undefined, cause: undefined }
    const { steered, drop } = followMessages(desk, turn)
    run.cost.startTurn()
    const outcome = await session.turn(turn.number, prepared.prompt, stop).finally(drop)
    if (outcome.isBegun) keep.tell(toldBy(keep.told(), turn, bundle.wake))
    // What it was told at the end of a turn, or of one that was cut off, may never have been heard: better twice than never.
    if (!stop.cause()) for (const more of steered.slice(0, outcome.heard ?? 0)) keep.tell(toldBy(keep.told(), more, null))
    run.cost.endTurn(outcome.costUsd)
    return { ...outcome, cause: stop.cause() }
  } finally {
    watch.endTurn()
  }
}

/** The files of what the agent has not been told yet, laid where it finds them. */
const deliverTo = ({ run, user }: Desk, turn: Turn, after: number, signal: AbortSignal) => {
  const news = turn.messages.filter(({ sequence }) => sequence > after)
  return deliver({ root: run.settings.workspace, api: run.api, runId: run.claimed.run.id, user, signal }, news)
}

/**
 * What a person says to an agent that works by itself reaches it at once; in a conversation it is the next turn. Several answers may tell
 * of the same message: while one is followed the others are not, or the agent would hear it twice. What is still on its way when the turn
 * is over is dropped, and taken back: it comes with what is done next.
 */
const followMessages = (desk: Desk, turn: Turn) => {
  const { run, session, keep } = desk
  const steered: Turn[] = []
  const over = new AbortController()
  const signal = AbortSignal.any([run.stop.signal, over.signal])
  let delivering: Promise<Delivered[]> | undefined
  const heard = () => steered.reduce((told, more) => toldBy(told, more, null), toldBy(keep.told(), turn, null)).after
  const steer = async () => {
    const after = heard()
    const { turn: more } = await receive(run, { wait: 0, turn: turn.number, after })
    if (signal.aborted || more?.number !== turn.number || more.messages.length === 0) return
    delivering = deliverTo(desk, more, after, signal)
    const delivered = await delivering
    if (signal.aborted) return
    session.steer(steering(delivered), true)
    steered.push(more)
  }
  let isFollowing = false
  run.onMessage = async (sequence = Number.POSITIVE_INFINITY) => {
    if (isFollowing || run.mode !== "autonomous" || sequence <= heard()) return
    isFollowing = true
    try {
      await steer()
    } catch (error) {
      if (!over.signal.aborted) throw error
    } finally {
      isFollowing = false
    }
  }
  const drop = async () => {
    run.onMessage = undefined
    over.abort()
    await delivering?.catch(() => undefined)
  }
  return { steered, drop }
}

/** Asks for what is new, and follows what the API says besides. */
const receive = async (run: Run, known: Parameters<Run["api"]["receive"]>[1]) => {
  const received = await run.api.receive(run.claimed.bundle.channel, known)
  stopAsTold(run, received.signals)
  if (received.turn) run.mode = received.turn.mode
  return received
}

const finishTurn = async (desk: Desk, turn: Turn, done: Done): Promise<Next> => {
  const { run } = desk
  const failure =
    done.unbegun ?? whyFailed({ outcome: done, cause: done.cause, refusal: done.refusal, bundle: run.claimed.bundle })
  const result = done.text || null
  if (run.stop.cause()) return stopped(desk, failure ?? "The agent was stopped.", result)
  if (done.sleep) return hibernate(desk, turn, done)
  if (await isConversation(run, turn)) return converse(desk, turn, done, failure)

  const wrong = await storeOutputs(run)
  if (failure ?? wrong) return { code: await reportFailure(run, (failure ?? wrong)!, result) }
  const { after } = desk.keep.told()
  const code = await reportDone(run, { result, messages: isOneShot(turn) ? [] : messagesOf(done), after })
  return code === "message_waiting" ? await goOn(desk, turn, done) : { code }
}

/** Somebody has written: to the agent at work, or before it took over, and then the message has a turn of its own. */
const goOn = async (desk: Desk, turn: Turn, done: Done): Promise<Next> => {
  const { turn: more } = await receive(desk.run, { wait: 0, turn: turn.number, after: desk.keep.told().after })
  return more ? goOnWith(turn, more) : converse(desk, turn, done, undefined)
}

/** Another turn, or more of the same, which stays what it was at its beginning. */
const goOnWith = (turn: Turn, more: Turn): More =>
  more.number === turn.number ? { turn: { ...more, mode: turn.mode }, isSame: true } : { turn: more }

const isOneShot = ({ number, messages }: Turn) => number === 1 && messages.length === 0

/**
 * A turn ends as it began: where a person has handed the task over meanwhile, the agent has the next one for itself. What it does by
 * itself may have been taken back.
 */
const isConversation = async ({ api, claimed }: Run, turn: Turn) =>
  turn.mode === "conversation" || (!isOneShot(turn) && (await api.stand(claimed.run.id)).mode === "conversation")

/** The run was stopped: saves what there is first, whatever the cause. */
const stopped = async (desk: Desk, failure: string, result: string | null): Promise<Next> => {
  const { run, keep } = desk
  const cause = run.stop.cause()
  const goesOn = cause === "terminated" || cause === "paused"
  if (goesOn) await keep.save()
  await storeOutputs(run)
  if (cause === "terminated") return { code: await reportStopped(run, result) }
  return cause === "paused" ? pause(run) : { code: await reportFailure(run, failure, result) }
}

/** Lets go of the run until there is credit again. */
export const pause = async (run: Run): Promise<{ code: number }> => {
  run.logs.say("daemon", "The credit is used up: the task goes on when there is some again")
  return (await release(run, { to: "pause" })) ?? { code: stoppedCode }
}

const cancelled = async (run: Run, result: string | null) => ({
  code: await reportFailure(run, "The task was cancelled.", result),
})

/** Lets go of the run. Nothing, where somebody has written meanwhile: then it goes on. */
const release = async (run: Run, body: Parameters<Run["api"]["release"]>[1]): Promise<{ code: number } | undefined> => {
  await settleUp(run)
  const code = await end(run, () => run.api.release(run.claimed.run.id, body))
  return code === "message_waiting" ? undefined : { code }
}

/** Sleeps as the agent has asked to. Where the API says no, the agent hears why and chooses again. */
const hibernate = async (desk: Desk, turn: Turn, done: Done): Promise<Next> => {
  const { run, keep } = desk
  const { until, reason } = done.sleep!
  await storeOutputs(run)
  await keep.save()
  if (run.stop.cancelled.aborted) return cancelled(run, done.text || null)
  run.logs.say("daemon", `The agent sleeps until ${until}: ${reason}`)
  const messages = isOneShot(turn) ? [] : messagesOf(done)
  try {
    return (
      (await release(run, { to: "hibernate", until, reason, messages, after: keep.told().after })) ??
      (await goOn(desk, turn, done))
    )
  } catch (error) {
    if (!(error instanceof Refused && error.code?.startsWith("hibernation_"))) throw error
    run.isEnding = false
    return { turn, also: `You could not be put to sleep: ${error.message} Choose again, or go on with what you can do now.` }
  }
}

/** Ends a turn of a conversation, with what the agent said, and stays for the next. What went wrong is said as well, and is not the end. */
const converse = async (desk: Desk, turn: Turn, done: Done, failure: string | undefined): Promise<Next> => {
  const { run, keep } = desk
  const wrong = await storeOutputs(run)
  if (failure ?? wrong) run.logs.say("daemon", (failure ?? wrong)!)
  // Of a turn that could not begin the person is told; its messages do not wait for the same again.
  const { after } = toldBy(keep.told(), turn, null)
  keep.tell({ ...keep.told(), after })
  await keep.save()
  if (run.stop.cancelled.aborted) return cancelled(run, done.text || null)
  await settleUp(run)
  const completed = { turn_number: turn.number, messages: messagesOf(done, failure), after }
  // What was said to the agent while it worked by itself is still a part of this turn: where it waits, it is received next.
  await isTaken(async () => {
    const { lease } = await run.api.completeTurn(run.claimed.run.id, completed)
    // Cancelled in this very moment, the task has ended with the turn.
    run.isEnding = lease.status !== "claimed"
  })
  return run.isEnding ? { code: 0 } : nextTurn(desk, turn)
}

/** Waits for the next turn as long as the container stays warm, then lets go of the run. */
const nextTurn = async ({ run, keep }: Desk, turn: Turn): Promise<Next> => {
  const { bundle } = run.claimed
  const until = Math.min(millis() + bundle.warm.turn_seconds * 1000, run.claimedAt + bundle.warm.run_seconds * 1000)
  const isStopped = new Promise<undefined>((resolve) => run.stop.signal.addEventListener("abort", () => resolve(undefined)))
  for (;;) {
    const wait = Math.min(receiveSeconds, Math.max(0, (until - millis()) / 1000))
    const ask = () => receive(run, { wait, turn: turn.number, after: keep.told().after })
    const received = run.stop.cause() ? undefined : await Promise.race([ask(), isStopped])
    const cause = run.stop.cause()
    if (cause === "cancelled" || cause === "paused") return stopWaiting(run, cause)
    if (received?.turn) return goOnWith(turn, received.turn)
    if (!cause && millis() < until) continue
    const released = await release(run, { to: "await_input" })
    if (released) return released
    // The message that came in this very moment belongs to the next container.
    if (cause) return { code: await reportStopped(run, null) }
  }
}

/** Everything is saved and said already. The turn of a message that has come in this very moment waits for the credit as well. */
const stopWaiting = async (run: Run, cause: "cancelled" | "paused"): Promise<Next> => {
  if (cause === "cancelled") return cancelled(run, null)
  const left = (await release(run, { to: "await_input" })) ?? (await release(run, { to: "pause" }))
  return left ?? { code: await reportStopped(run, null) }
}
