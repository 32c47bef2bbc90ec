import { closeSync, existsSync, mkdirSync, openSync, renameSync, statSync, writeSync } from "node:fs"
import { join } from "node:path"

/** A log of more than this is set aside (`<function>.log.1`) when the next start finds it. */
const keepBytes = 10 * 1024 ** 2

export interface Logs {
  write(name: string, text: string): void
  close(): void
}

/** The log group of every function: a file of its name in `folder`, and standard error too when `verbose`. */
export function openLogs(folder: string, verbose: boolean): Logs {
  const files = new Map<string, number>()
  let closed = false
  const open = (name: string) => {
    mkdirSync(folder, { recursive: true })
    const path = join(folder, `${name}.log`)
    if (existsSync(path) && statSync(path).size > keepBytes) renameSync(path, `${path}.1`)
    const file = openSync(path, "a")
    files.set(name, file)
    return file
  }
  return {
    write(name, text) {
      if (closed) return
      writeSync(files.get(name) ?? open(name), text)
      if (verbose) process.stderr.write(`${name} ${text}`)
    },
    close() {
      closed = true
      for (const file of files.values()) closeSync(file)
      files.clear()
    },
  }
}
