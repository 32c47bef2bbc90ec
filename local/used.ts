import { readFileSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { every } from "#core/clock.ts"

/**
 * What roles made use of: by role and action, how often it was allowed. A policy can be cut down to that. It lies in the data folder as
 * `permissions-used.json`, `{"<role>": {"dynamodb:PutItem": 3}}`, and goes on counting over every start.
 */
export type Used = Map<string, Map<string, number>>

const saveMs = 60_000

/** Notes that a role was allowed an action. */
export function note(used: Used, role: string, action: string) {
  const actions = used.get(role) ?? new Map<string, number>()
  used.set(role, actions.set(action, (actions.get(action) ?? 0) + 1))
}

/** Reads what was counted before, and keeps the file up to date: every minute, and when `close` is called. */
export function openUsed(data: string): { used: Used; close(): void } {
  const path = join(data, "permissions-used.json")
  const used = load(path)
  const save = () => {
    writeFileSync(`${path}.new`, `${JSON.stringify(plain(used), undefined, 2)}\n`)
    renameSync(`${path}.new`, path)
  }
  const stop = every(saveMs, save)
  return {
    used,
    close() {
      stop()
      save()
    },
  }
}

const ordered = <Value>(entries: Iterable<[string, Value]>) => [...entries].sort(([one], [other]) => (one < other ? -1 : 1))

const plain = (used: Used) =>
  Object.fromEntries(ordered(used).map(([role, actions]) => [role, Object.fromEntries(ordered(actions))]))

function load(path: string): Used {
  try {
    const roles = JSON.parse(readFileSync(path, "utf8")) as Record<string, Record<string, number>>
    return new Map(Object.entries(roles).map(([role, actions]) => [role, new Map(Object.entries(actions))]))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return new Map()
    throw error
  }
}
