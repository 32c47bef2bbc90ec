import { constants } from "node:fs"
import { open } from "node:fs/promises"
import { join } from "node:path"
import { Readable } from "node:stream"
import { type Api, Refused } from "./api.ts"
import { persist } from "./http.ts"
import type { Logs } from "./logs.ts"
import { findOutputs, type OutputFile } from "./output-files.ts"
import { answersTo, type OutputPolicy, whatIsMissing } from "./output-policy.ts"
import { UploadFailed, upload } from "./upload.ts"

const uploadsAtOnce = 8

type Options = {
  api: Api
  logs: Logs
  runId: string
  folder: string
  policy: OutputPolicy
  /** How the files looked that were kept by this run already, by path. */
  known: Map<string, string>
}

/** Uploads what the policy takes of `folder`. Answers with what is wrong with it, for the person who asked for it. */
export const keepOutputs = async ({ api, logs, runId, folder, policy, known }: Options): Promise<string | undefined> => {
  if (policy.mode === "none") return undefined
  const { files, leftOut } = await findOutputs(folder)
  for (const sentence of leftOut) logs.say("daemon", sentence)

  const kept: string[] = []
  let failure: string | undefined
  const keep = async (file: OutputFile) => {
    if (known.get(file.path) === file.stamp) {
      kept.push(file.path)
      return
    }
    const description = { filename: file.path, size_bytes: file.size, output_name: answersTo(policy, file.path) }
    try {
      await persist(() => store(api, runId, folder, file, description), isPassing)
      await api.completeOutput(runId, description)
    } catch (error) {
      if (error instanceof Refused && error.isLost) throw error
      failure ??= `The output file ${file.path} could not be stored: ${error instanceof Error ? error.message : String(error)}`
      return
    }
    kept.push(file.path)
    known.set(file.path, file.stamp)
    logs.say("daemon", `Kept output/${file.path} (${file.size} bytes)`)
  }
  // A few at a time, taken from one queue.
  const queue = files.values()
  const workers = Array.from({ length: uploadsAtOnce }, async () => {
    for (const file of queue) await keep(file)
  })
  await Promise.all(workers)
  return failure ?? whatIsMissing(policy, kept)
}

const isPassing = (error: unknown) => error instanceof UploadFailed

type Description = Parameters<Api["prepareOutput"]>[1]

/** Each attempt asks for a new address, since the old one may have run out. */
const store = async (api: Api, runId: string, folder: string, file: OutputFile, description: Description) => {
  const place = await api.prepareOutput(runId, description)
  const body = await openFile(folder, file)
  await upload(place, body, file.size).finally(() => body.destroy())
}

const openFile = async (folder: string, { path, size }: OutputFile) => {
  const file = await open(join(folder, path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  const found = await file.stat()
  if (!found.isFile() || found.size !== size) {
    await file.close()
    throw new Error("it has changed since the agent ended")
  }
  if (size > 0) return file.createReadStream({ start: 0, end: size - 1 })
  await file.close()
  return Readable.from([])
}
