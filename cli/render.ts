interface Story {
  task: {
    id: string
    accountId: string
    title: string
    mode: string
    status: string
    hasEnded: boolean
    error: string | null
    attempts: number
    containerSeconds: number
    costUsd: number
    tokens: { input: number; output: number }
    modelCostUsd: number
    agent: string
    image: string
    model: string
  }
  executions: { name: string; status: string }[]
  moments: { at: string; what: string; detail: string }[]
}

/** The story of a task as text: what it is, then what happened, each line with the time since the one before. */
export function storyText({ task, executions, moments }: Story): string {
  const facts: [string, string][] = [
    ["account", task.accountId],
    ["agent", task.agent],
    ["image", task.image],
    ...useOf(task),
    ["execution", executions.map(({ name, status }) => `${name} ${status}`).join(", ") || "none that AWS remembers"],
    ...(task.error ? [["error", task.error] as [string, string]] : []),
  ]
  const width = Math.max(0, ...moments.map(({ what }) => what.length))
  const lines = [
    `${task.id}  ${task.status}  (${task.mode})  ${task.title}`,
    ...facts.map(([name, value]) => `  ${name.padEnd(10)} ${value}`),
    "",
    ...moments.map(
      ({ at, what, detail }, index) => `  ${at}  ${since(moments[index - 1]?.at, at)}  ${what.padEnd(width)}  ${detail}`,
    ),
  ]
  return lines.map(printable).join("\n")
}

/** What a task has used is known of the runs and turns that have ended: of the first one nothing yet. */
function useOf({
  hasEnded,
  model,
  tokens,
  modelCostUsd,
  attempts,
  containerSeconds,
  costUsd,
}: Story["task"]): [string, string][] {
  const made = plural(attempts, "attempt")
  if (!hasEnded && containerSeconds === 0)
    return [
      ["model", model],
      ["container", made],
    ]
  const soFar = hasEnded ? "" : " so far"
  return [
    ["model", `${model}: ${tokens.input} + ${tokens.output} tokens, $${modelCostUsd}${soFar}`],
    ["container", `${containerSeconds} s in ${made}, $${costUsd}${soFar}`],
  ]
}

/** What agents and receivers say stays on its line, and commands the operator's terminal nothing. */
const printable = (line: string) => line.replace(/\p{Cc}+/gu, " ")

const plural = (count: number, noun: string) => `${count} ${noun}${count === 1 ? "" : "s"}`

const units = [
  ["d", 86_400],
  ["h", 3600],
  ["min", 60],
] as const

/** Time between two moments, right-aligned: `+1.204 s`, `+3.5 d`. */
function since(before: string | undefined, at: string): string {
  const seconds = before === undefined ? 0 : (Date.parse(at) - Date.parse(before)) / 1000
  const [unit, size] = units.find(([, length]) => seconds >= length) ?? (["s", 1] as const)
  const text = before === undefined ? "" : `+${(seconds / size).toFixed(unit === "s" ? 3 : 1)} ${unit}`
  return text.padStart(10)
}

/** Any other answer: a line for each of its fields. */
export const fieldsText = (answer: unknown): string =>
  answer === null || typeof answer !== "object"
    ? "done"
    : Object.entries(answer)
        .map(([name, value]) => `${name.padEnd(10)} ${typeof value === "string" ? value : JSON.stringify(value)}`)
        .join("\n")
