import { posix } from "node:path"
import type { Bundle } from "./api.ts"

export type OutputPolicy = Bundle["output_policy"]

const namesOf = (policy: OutputPolicy) => (policy.mode === "named" ? policy.files.map(({ name }) => name) : [])

/** The name of the policy that the file at `path`, below `output/`, answers to: by its path, its file name, or that without its ending. */
export const answersTo = (policy: OutputPolicy, path: string): string | null => {
  const base = posix.basename(path)
  const stem = posix.basename(path, posix.extname(path))
  const names = namesOf(policy)
  return [path, base, stem].find((candidate) => names.includes(candidate)) ?? null
}

/** What the policy misses among the files at `paths`; `undefined` when it is met. */
export const whatIsMissing = (policy: OutputPolicy, paths: string[]): string | undefined => {
  if (policy.mode === "at_least_one" && paths.length === 0) {
    return "The agent wrote no file to output/, and the task asks for at least one. Say in the instructions which file it should write."
  }
  const found = new Set(paths.map((path) => answersTo(policy, path)))
  const missing = namesOf(policy).filter((name) => !found.has(name))
  if (missing.length === 0) return undefined
  return `The agent did not write what the task asks for: ${missing.join(", ")} ${missing.length === 1 ? "is" : "are"} missing in output/.`
}
