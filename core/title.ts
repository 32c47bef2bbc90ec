import { now } from "./clock.ts"
import * as Completion from "./completion.ts"
import { limits } from "./limits.ts"
import * as Log from "./log.ts"
import * as Secret from "./secret.ts"
import { type SpecRow, TaskEntity } from "./task.entity.ts"
import * as Task from "./task.ts"
import * as Text from "./text.ts"
import { TitleEntity } from "./title.entity.ts"
import { transact, unlessRefused } from "./transaction.ts"

/** What tasks are called: by their first line, until a model has named those whose agent says how. */

/** The first line of some instructions, cut to fit. */
export const automatic = (instructions: string) => fitting(lineOf(instructions))

const lineOf = (text: string) => (text.split("\n").find((line) => line.trim()) ?? "").trim()

const fitting = (line: string) => (line.length > limits.titleCharacters ? `${Text.cut(line, limits.titleCharacters - 1)}…` : line)

/** Room for a model that thinks before it names. */
const tokens = 1_000
/** Long enough for a weak model, and over before a function is. */
const milliseconds = 20_000

/**
 * Has a task named by its weak model, if its agent says how. At most one model request is made for it, however often this is called;
 * where it comes to nothing the task keeps its first line, and its log says why.
 */
export async function entitle(accountId: string, taskId: string): Promise<void> {
  const spec = await Task.unlessDeleted(() => Task.spec(accountId, taskId))
  if (spec?.titleInstructions === undefined || !(await isFirst(accountId, taskId))) return
  const task = await Task.row(accountId, taskId)
  try {
    const title = await madeFor(spec, spec.titleInstructions)
    if (title) await replace(accountId, taskId, task.title, title)
  } catch (error) {
    if (!(error instanceof Completion.NoAnswer)) throw error
    await Log.note(accountId, taskId, Math.max(task.attempt, 1), `The task keeps its first line as its title: ${error.message}`)
  }
}

const isFirst = (accountId: string, taskId: string) =>
  unlessRefused(TitleEntity.create({ accountId, taskId, askedAt: now().toISOString() }))

async function madeFor({ accountId, execution, keySecretIds, instructions }: SpecRow, titleInstructions: string) {
  const key = await Secret.firstOf(accountId, keySecretIds)
  if (key === undefined) throw new Completion.NoAnswer(`there is no key of ${execution.provider}`)
  const answer = await Completion.ask({
    provider: execution.provider,
    model: execution.weakModel,
    key,
    instructions: await Text.load(titleInstructions),
    text: `<task>\n${await Text.load(instructions)}\n</task>`,
    tokens,
    milliseconds,
  })
  // Models like to put titles in quotes or in bold.
  return fitting(lineOf(answer).replace(/^["'*#\s]+|["'*\s]+$/g, ""))
}

/** Only in place of the title that was there before: whoever gave the task another one meanwhile meant it. */
const replace = (accountId: string, taskId: string, before: string, title: string) =>
  transact({
    task: TaskEntity.patch({ accountId, taskId })
      .set({ title })
      .where((row, { eq }) => eq(row.title, before)),
  })
