import { fieldsText, storyText } from "./render.ts"

/** What an operator can say: each command becomes one operation of the stack's own function. */

export interface Command {
  /** As it is typed, with its arguments. */
  usage: string
  means: string
  /** The operation; throws a `Misuse` where the words are off. */
  operation: (args: string[], options: Options) => object
  /** The answer as text, where that is more than its fields. */
  text?: (answer: never) => string
  /** What is to be carried out after an answer, for an operation that is more than one call's work. */
  next?: (operation: object, answer: object) => object | undefined
}

export interface Options {
  name?: string | undefined
  email?: string | undefined
  id?: string | undefined
  account?: string | undefined
  unlimited?: boolean | undefined
  confirm?: string | undefined
}

/** The words of a command are off. The message is for who typed them. */
export class Misuse extends Error {}

export const commands: Record<string, Command> = {
  "account create": {
    usage: "account create [--name NAME] [--email EMAIL] [--unlimited]",
    means: "make an account; with --unlimited it is neither blocked nor charged",
    operation: (_, { name, email, unlimited }) => ({
      operation: "createAccount",
      name: name ?? null,
      email: email ?? null,
      billingMode: unlimited ? "unlimited_grant" : "standard",
    }),
  },
  "account erase": {
    usage: "account erase ACCOUNT --confirm ACCOUNT",
    means: "delete all that is kept of an account whose tasks have ended, its ledger too; there is no way back",
    operation: ([accountId], { confirm }) => {
      if (given(accountId, "ACCOUNT") !== confirm) throw new Misuse("--confirm repeats the account that is to be erased")
      return { operation: "eraseAccount", accountId }
    },
    next: (operation, answer) => {
      const { progress } = answer as { progress: object | null }
      return progress ? { ...operation, progress } : undefined
    },
    text: ({ progress: _, ...erased }: { progress: null }) => fieldsText(erased),
  },
  "key create": {
    usage: "key create ACCOUNT",
    means: "make an API key, shown this once",
    operation: ([accountId]) => ({ operation: "createKey", accountId: given(accountId, "ACCOUNT") }),
  },
  "credit grant": {
    usage: "credit grant ACCOUNT USD --id ID",
    means: "add credit, or take some away (-- ACCOUNT -5); the same ID again is the same grant",
    operation: ([accountId, usd], { id }) => ({
      operation: "grantCredit",
      accountId: given(accountId, "ACCOUNT"),
      usd: amount(given(usd, "USD")),
      grantId: given(id, "--id ID"),
    }),
    text: ({ done, usd, grantedAt, balanceUsd }: Granted) =>
      `${done} ${usd} USD${done === "granted" ? "" : ` on ${grantedAt}`}: the balance is ${balanceUsd} USD`,
  },
  "task show": {
    usage: "task show TASK [--account ACCOUNT]",
    means: "the whole story of a task; the account is needed once its executions are forgotten",
    operation: ([taskId], { account }) => ({ operation: "showTask", ...about(taskId, account) }),
    text: storyText,
  },
  "task redrive": {
    usage: "task redrive TASK [--account ACCOUNT]",
    means: "put a task right that nobody runs any more",
    operation: ([taskId], { account }) => ({ operation: "redriveTask", ...about(taskId, account) }),
    text: ({ why }: { why: string }) => why,
  },
}

interface Granted {
  done: "granted" | "already granted"
  usd: number
  grantedAt: string
  balanceUsd: number
}

const about = (taskId: string | undefined, accountId: string | undefined) => ({
  taskId: given(taskId, "TASK"),
  ...(accountId === undefined ? {} : { accountId }),
})

function given(value: string | undefined, what: string): string {
  if (!value) throw new Misuse(`${what} is missing`)
  return value
}

function amount(text: string): number {
  const value = Number(text)
  if (!Number.isFinite(value)) throw new Misuse(`USD is a number, not ${text}`)
  return value
}
