import { enableCompileCache } from "node:module"
import { join } from "node:path"
import { readOptions, UsageError, usage } from "./options.ts"

// `npm start`: runs everything on this machine. What the modules compile to is kept, so that the next start takes a third of the time.
enableCompileCache()

try {
  const options = readOptions(process.argv.slice(2), join(import.meta.dirname, ".."))
  if (options === "help") process.stdout.write(usage)
  else await (await import("./command.ts")).runHere(options)
} catch (error) {
  const wrongUse = error instanceof UsageError
  process.stderr.write(wrongUse ? `${error.message}\n\n${usage}` : `${error instanceof Error ? error.message : error}\n`)
  if (process.argv.includes("--verbose") && !wrongUse) console.error(error)
  process.exit(wrongUse ? 2 : 1)
}
process.exit()
