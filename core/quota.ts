import { setting } from "./aws.ts"

/** What an account may have of the stack at most. */
interface Quotas {
  /** Tasks with a container at a time. One more waits, and stays as it is meanwhile. */
  runningTasks: number
  fileStorageBytes: number
  checkpointStorageBytes: number
}

/** The quotas of each account, as the stack's settings have them. */
export const quotas = (): Quotas => JSON.parse(setting("ACCOUNT_QUOTAS")) as Quotas
