import * as z from "zod"
import * as Dispatch from "./dispatch.ts"
import { limits } from "./limits.ts"
import * as Message from "./message.ts"
import { Problem } from "./problem.ts"
import * as Settlement from "./settlement.ts"
import type { TaskRow } from "./task.entity.ts"
import * as Task from "./task.ts"
import * as TaskEvent from "./task-event.ts"

/** Tasks that a person talks with, turn by turn. */

export const Create = z
  .strictObject({
    ...Dispatch.fields,
    message: z.string().trim().min(1).max(limits.text).describe("What the person says first."),
  })
  .meta({
    id: "CreateConversation",
    example: { instructions: "Help with the garden.", message: "Which flowers bloom in November?" },
  })

export const Started = z.object({ task: Task.View, message: Message.View }).meta({ id: "ConversationMessage" })

/** Begins a conversation with an agent. Raises what `Dispatch.dispatch` does. */
export async function create(
  accountId: string,
  agentId: string,
  { message, inputFileIds, ...body }: z.output<typeof Create>,
): Promise<z.infer<typeof Started>> {
  const started = await Dispatch.start(accountId, agentId, body, { content: message, inputFileIds })
  return { task: started.task, message: await Message.view(started.row, started.message!) }
}

/** Something more is said. Raises `conversation_not_found`, `task_ended`. */
export async function say(
  accountId: string,
  taskId: string,
  body: z.output<typeof Message.Create>,
): Promise<z.infer<typeof Started>> {
  const said = await Message.ofPerson(accountId, taskId, body)
  await happen(accountId, taskId, (task) => ({
    signal: { kind: "message" },
    messages: [said],
    set: { personSequence: task.messageSequence + 1 },
  }))
  const [task, message] = await Promise.all([Task.get(accountId, taskId), Message.get(accountId, taskId, said.messageId)])
  return { task, message }
}

export const Autonomous = z.strictObject({ enabled: z.boolean() }).meta({ id: "SetAutonomous", example: { enabled: true } })

export const Switched = z
  .object({ task: Task.View, event: TaskEvent.View.nullable().describe("null when nothing changed.") })
  .meta({ id: "AutonomousSwitched" })

/**
 * Hands a conversation over to the agent, which then goes on by itself to its end, or takes it back. Raises `conversation_not_found`,
 * `task_ended`.
 */
export async function setAutonomous(
  accountId: string,
  taskId: string,
  { enabled }: z.output<typeof Autonomous>,
): Promise<z.infer<typeof Switched>> {
  const mode = enabled ? "autonomous" : "conversation"
  const done = await happen(accountId, taskId, () => ({ signal: { kind: "mode", mode } }))
  const event = done && (await TaskEvent.switchAt(accountId, taskId, done.at))
  return { task: await Task.get(accountId, taskId), event: event ?? null }
}

/** As `Settlement.happen`, for tasks that were made as conversations. */
const happen = async (accountId: string, taskId: string, step: (task: TaskRow) => Settlement.Step) => {
  try {
    return await Settlement.happen(accountId, taskId, (task) => {
      if (!task.isConversation) throw new Problem("conversation_not_found")
      return step(task)
    })
  } catch (error) {
    if (error instanceof Problem && error.code === "task_not_found") throw new Problem("conversation_not_found")
    throw error
  }
}
