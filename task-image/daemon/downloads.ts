import { basename, extname } from "node:path"
import { type Api, type Bundle, Refused } from "./api.ts"
import type { Folder } from "./checkpoint/folder.ts"
import { writeTo } from "./house.ts"
import { persist, send, stallSeconds } from "./http.ts"
import type { User } from "./isolation.ts"

export type BundleFile = Bundle["input_files"][number]

/** Of the 255 bytes that a file system takes: the others are for telling two files of one name apart. */
const nameBytes = 250

/** A name that lies in a folder and nowhere else, whatever the file was called. One that is too long keeps its ending. */
export const plainName = ({ id, filename }: Pick<BundleFile, "id" | "filename">): string => {
  const bare = basename(filename.replaceAll("\\", "/")).replace(/\p{Cc}/gu, "_")
  if (bare === "" || bare === "." || bare === "..") return id
  if (Buffer.byteLength(bare) <= nameBytes) return bare
  const ending = Buffer.byteLength(extname(bare)) <= 50 ? extname(bare) : ""
  const stem = Buffer.from(basename(bare, ending)).subarray(0, nameBytes - Buffer.byteLength(ending))
  // As of a stream: a character that is cut in two is left out.
  return new TextDecoder().decode(stem, { stream: true }) + ending
}

/** The name, or where that is taken one with a number. */
export const freeName = (name: string, isTaken: (name: string) => boolean): string => {
  const ending = extname(name)
  let free = name
  for (let n = 2; isTaken(free); n++) free = `${basename(name, ending)}-${n}${ending}`
  return free
}

type Options = { api: Api; runId: string; user: User | undefined; signal: AbortSignal }

/**
 * Fetches a file to a name in a folder. Each attempt asks for a new address, which is good for a short while, and has its bytes taken
 * from the start. Throws with a message for the person who asked, or the reason of the signal.
 */
export const fetchTo = async (
  { api, runId, user, signal }: Options,
  file: BundleFile,
  folder: Folder,
  name: string,
): Promise<void> => {
  const attempt = async () => {
    const { url } = await api.fileAddress(runId, file.id)
    const response = await send(new URL(url), { method: "GET", signal, stallSeconds })
    const status = response.statusCode ?? 0
    if (status !== 200) {
      response.resume()
      throw new Error(`the store answered ${status}`)
    }
    const size = await writeTo(folder, name, response, user)
    if (size !== (file.size_bytes ?? size)) throw new Error(`it has ${file.size_bytes} bytes, and ${size} came`)
  }
  try {
    await persist(attempt, (error) => !(error instanceof Refused), signal)
  } catch (error) {
    if (signal.aborted || (error instanceof Refused && error.isLost)) throw error
    const why = error instanceof Error ? error.message : String(error)
    throw new Error(`The file ${file.filename} could not be read: ${why}`)
  }
}
