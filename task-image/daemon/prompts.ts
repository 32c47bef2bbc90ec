import type { CloneSource } from "../../core/git.ts"
import type { Bundle, Turn } from "./api.ts"
import { spoken } from "./limits.ts"
import type { Told } from "./told.ts"

/** What pi is told to be: the agent's own prompt, and where its work is described. */
export const systemPrompt = ({ base_prompt }: Bundle) =>
  `${base_prompt.trimEnd()}

Your task is described in task/TASK.md. The rules of the place where you work, and where its inputs and outputs are, are in task/HARNESS.md: read that first.
`.trimStart()

const taskPrompt = ({ instructions }: Bundle) =>
  `Do the task in task/TASK.md, by the rules in task/HARNESS.md. It says:

${instructions}`

const conversationPrompt = ({ instructions }: Bundle) =>
  `This is a conversation, by the rules in task/HARNESS.md. What it is for, as task/TASK.md says:

${instructions}

The person says:`

/** A message, with where its files are. */
export type Delivered = { content: string; files: string[] }

export const messagePrompt = (messages: Delivered[]) =>
  messages.map(({ content, files }) => [content, ...files.map((file) => `(File: ${file})`)].join("\n")).join("\n\n")

const takeOver =
  "From now on you work by yourself: nobody answers until the task is done. Go on to its end, then give your final answer."

const interrupted =
  "The container in which you were working was replaced. Your workspace is as it was when it was last saved, and programs that ran are gone. See where you stand, and go on."

const wakeReasons: Record<NonNullable<Bundle["wake"]>["reason"], string> = {
  message: "because somebody wrote to you",
  external_wake: "because somebody woke you",
  time: "because the time that you had chosen has come",
  credit: "because the task had been paused for want of credit, and there is credit again",
}

/** `said`: what is in the messages already and need not be said twice. */
const wakePrompt = ({ reason, message, slept_seconds }: NonNullable<Bundle["wake"]>, said: Delivered[]) => {
  const woken = `You are awake again after ${spoken(slept_seconds)}, ${wakeReasons[reason]}.`
  const isNews = message !== null && !said.some(({ content }) => content === message)
  return isNews ? `${woken} The message says:\n\n${message}` : woken
}

const attachedPrompt = (attached: CloneSource[]) =>
  attached.map(({ name, folder, tag }) => `The git repository ${name} was cloned to ${folder}/ at ${tag}.`).join("\n")

type Situation = { bundle: Bundle; turn: Turn; told: Told; delivered: Delivered[]; attached: CloneSource[] }

/** What a turn begins with: everything that the agent has not been told yet, in the order in which it matters. */
export const turnPrompt = ({ bundle, turn, told, delivered, attached }: Situation): string => {
  const parts: string[] = []
  if (bundle.wake && bundle.wake.cycle > told.cycle) parts.push(wakePrompt(bundle.wake, delivered))
  else if (turn.number === told.turn) parts.push(interrupted)
  if (attached.length > 0) parts.push(attachedPrompt(attached))
  if (delivered.length > 0) parts.push(messagePrompt(delivered))
  const isTask = told.turn === 0 && delivered.length === 0
  if (told.turn === 0) parts.unshift(isTask ? taskPrompt(bundle) : conversationPrompt(bundle))
  if (!isTask && turn.mode === "autonomous" && turn.number > told.turn) parts.push(takeOver)
  return parts.join("\n\n")
}

/** What steers an agent at work. */
export const steering = (delivered: Delivered[]) =>
  `Meanwhile somebody wrote to you. Take it into account from here on:\n\n${messagePrompt(delivered)}`

export const finishUp = (secondsLeft: number) =>
  `Your time is almost over: in ${spoken(secondsLeft)} you will be stopped. Start nothing new. Write what you have to output/ now, then give your final answer.`
