import type { Bundle } from "./api.ts"
import { spoken } from "./limits.ts"

/** What pi is told to be: the agent's own prompt, and where its work is described. */
export const systemPrompt = ({ base_prompt }: Bundle) =>
  `${base_prompt.trimEnd()}

Your task is described in task/TASK.md. The rules of the place where you work, and where its inputs and outputs are, are in task/HARNESS.md: read that first.
`.trimStart()

export const turnPrompt = ({ instructions }: Bundle) =>
  `Do the task in task/TASK.md, by the rules in task/HARNESS.md. It says:

${instructions}`

export const finishUp = (secondsLeft: number) =>
  `Your time is almost over: in ${spoken(secondsLeft)} you will be stopped. Start nothing new. Write what you have to output/ now, then give your final answer.`
