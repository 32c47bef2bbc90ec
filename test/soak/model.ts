import { type ModelRequest, type Step, startModelServer } from "../model-server.ts"
import type { TaskPlan } from "./plan.ts"

/** The model's side of a soak: what it says depends on the task that it is asked about, and on what it has said to it before. */

/** A word by which a task is known wherever its instructions come by. */
export const wordOf = (number: number) => `soak-task-${number}-`

/** What a task whose behaviour is `file` leaves in its output. */
export const reportOf = (number: number) => `# Report ${number}\n\n${"All is well: ä, 漢字, 🐭. ".repeat(1 + (number % 40))}\n`

export const finalAnswer = (number: number) => `Task ${number} is done.`

interface Listeners {
  /** The model was asked about a task; it answers when this has resolved. */
  asked(task: TaskPlan): Promise<void>
  /** The final answer is about to be given. */
  answered(task: TaskPlan): void
  /** Resolves when a model that is silent for a while is to speak. */
  silence(task: TaskPlan): Promise<void>
}

/** Starts the model for these tasks. */
export const startModel = (tasks: TaskPlan[], listeners: Listeners) => {
  const timesAsked = new Map<number, number>()
  return startModelServer(async (request) => {
    const number = Number(/soak-task-(\d+)-/.exec(JSON.stringify(request.body))?.[1])
    const task = tasks[number]
    if (!task) return { status: 400, error: "This is none of the tasks of the soak" }
    const before = timesAsked.get(number) ?? 0
    timesAsked.set(number, before + 1)
    await listeners.asked(task)
    const step = stepOf(task, before, hasUsedTool(request))
    if ("blocks" in step && !step.blocks.some((block) => "tool" in block) && step.end === undefined) listeners.answered(task)
    return task.behaviour === "slow" && "blocks" in step ? { ...step, before: listeners.silence(task) } : step
  })
}

const hasUsedTool = ({ body }: ModelRequest) =>
  JSON.stringify((body.messages as unknown[] | undefined)?.at(-1)).includes("tool_result")

const stepOf = ({ number, behaviour }: TaskPlan, before: number, usedTool: boolean): Step => {
  const final = { blocks: [{ text: finalAnswer(number) }], usage: { input: 200, output: 20 } }
  switch (behaviour) {
    case "answer":
    case "slow":
      return final
    case "file":
      return usedTool ? final : { blocks: [{ tool: "write", args: { path: "output/report.md", content: reportOf(number) } }] }
    case "command":
      return usedTool
        ? final
        : { blocks: [{ text: "I count." }, { tool: "bash", args: { command: "seq 1 300; sleep 0.2; echo done" } }] }
    case "busy":
      return before === 0 ? { status: 429, error: "slow down", headers: { "retry-after": "0" } } : final
    case "broken":
      return before === 0 ? { status: 500, error: "internal error" } : final
    case "cut":
      return before === 0 ? { blocks: [{ text: "I begin to say" }], end: "cut" } : final
    case "refused":
      return { status: 401, error: "invalid x-api-key" }
  }
}
