/**
 * Runs one of the commands of this folder: `--help` shows its usage, and what somebody wrote wrongly is answered by one sentence and
 * exit code 1. A TypeError or ReferenceError of the program's own keeps its stack.
 */
export async function command(usage: string, run: () => void | Promise<void>) {
  if (process.argv.slice(2).includes("--help")) return console.log(usage)
  try {
    await run()
  } catch (error) {
    if (isFault(error)) throw error
    console.error(sentenceOf(error as NodeJS.ErrnoException))
    process.exitCode = 1
  }
}

/** Node's own complaints of options and files have a code, and are no faults of ours. */
const isFault = (error: unknown) =>
  !(error instanceof Error) || ((error instanceof TypeError || error instanceof ReferenceError) && !("code" in error))

function sentenceOf({ code, path, message }: NodeJS.ErrnoException): string {
  if (code === "ENOENT") return `There is no ${path}`
  // The rest explains how to pass what looks like an option.
  if (code?.startsWith("ERR_PARSE_ARGS_")) return message.split(/\.\s/)[0]!
  return message.replaceAll(/\s+/g, " ").trim()
}
