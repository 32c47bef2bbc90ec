import { createWriteStream } from "node:fs"
import { mkdir, writeFile } from "node:fs/promises"
import type { IncomingMessage } from "node:http"
import { basename, extname, join } from "node:path"
import { pipeline } from "node:stream/promises"
import type { CloneSource } from "../../core/git.ts"
import { type Api, type Bundle, Refused } from "./api.ts"
import { harness } from "./harness.ts"
import { persist, send, stallSeconds } from "./http.ts"
import { giveTo, type User } from "./isolation.ts"

type BundleFile = Bundle["input_files"][number]

type Options = {
  root: string
  bundle: Bundle
  /** What will be cloned there. */
  repositories: CloneSource[]
  api: Api
  runId: string
  user: User | undefined
}

/** Makes the folders that the agent finds at the start, with the task, the rules of the house and the files that it was given. */
export const prepareWorkspace = async ({ root, bundle, repositories, api, runId, user }: Options) => {
  for (const folder of ["task", "input", "reference", "output"]) await mkdir(join(root, folder), { recursive: true })
  await writeFile(join(root, "task/TASK.md"), `${bundle.instructions.trimEnd()}\n`)

  const fetchAll = async (folder: string, files: BundleFile[]) => {
    const names = uniqueNames(files)
    for (const [i, file] of files.entries()) {
      const path = join(root, folder, names[i] ?? file.id)
      await download(api, runId, file, (response) => pipeline(response, createWriteStream(path)))
    }
    return names
  }
  const input = await fetchAll("input", bundle.input_files)
  const reference = await fetchAll("reference", bundle.reference_files)
  await writeFile(join(root, "task/HARNESS.md"), harness(bundle, { root, input, reference, repositories }))
  if (user) await giveTo(root, user)
}

/** File names that lie in one folder and nowhere else, whatever they were called. */
export const uniqueNames = (files: BundleFile[]): string[] => {
  const taken = new Set<string>()
  return files.map(({ id, filename }) => {
    const name = plainName({ id, filename })
    let free = name
    for (let n = 2; taken.has(free); n++) free = `${basename(name, extname(name))}-${n}${extname(name)}`
    taken.add(free)
    return free
  })
}

/** A name that lies in a folder and nowhere else, whatever the file was called. */
export const plainName = ({ id, filename }: Pick<BundleFile, "id" | "filename">): string => {
  const bare = basename(filename.replaceAll("\\", "/")).replace(/\p{Cc}/gu, "_")
  return bare === "" || bare === "." || bare === ".." || Buffer.byteLength(bare) > 250 ? id : bare
}

type Take = (response: IncomingMessage) => Promise<void>

/** Each attempt asks for a new address, which is good for a short while, and has its bytes taken from the start. */
export const download = async (api: Api, runId: string, file: BundleFile, take: Take) => {
  const attempt = async () => {
    const { url } = await api.fileAddress(runId, file.id)
    const response = await send(new URL(url), { method: "GET", stallSeconds })
    const status = response.statusCode ?? 0
    if (status !== 200) {
      response.resume()
      throw new Error(`the store answered ${status}`)
    }
    await take(response)
  }
  try {
    await persist(attempt, (error) => !(error instanceof Refused))
  } catch (error) {
    if (error instanceof Refused && error.isLost) throw error
    const why = error instanceof Error ? error.message : String(error)
    throw new Error(`The file ${file.filename} could not be read: ${why}`)
  }
}
