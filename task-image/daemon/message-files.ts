import { lstatSync, rmSync } from "node:fs"
import type { Api, Turn } from "./api.ts"
import { inside } from "./checkpoint/folder.ts"
import { type BundleFile, fetchTo, freeName, plainName } from "./downloads.ts"
import { withHouse } from "./house.ts"
import type { User } from "./isolation.ts"
import type { Delivered } from "./prompts.ts"

type Options = { root: string; api: Api; runId: string; user: User | undefined; signal: AbortSignal }

/** Lays the files of messages into `input/`, beside what is there. Answers the messages with the paths of their files. */
export const deliver = async (options: Options, messages: Turn["messages"]): Promise<Delivered[]> => {
  const delivered: Delivered[] = []
  const names: string[] = []
  try {
    for (const { content, files } of messages) {
      const first = names.length
      for (const file of files) await deliverFile(options, file, names)
      delivered.push({ content, files: names.slice(first).map((name) => `input/${name}`) })
    }
    return delivered
  } catch (error) {
    // They are delivered again: by then half a file would have the name of the whole one.
    await withHouse(options, "input", (folder) => {
      for (const name of names) rmSync(inside(folder, name), { recursive: true, force: true })
    })
    throw error
  }
}

/** Adds the name that it has to those that are taken by it. The agent may be at work meanwhile: so the folder is opened for each file anew. */
const deliverFile = (options: Options, file: BundleFile, names: string[]) =>
  withHouse(options, "input", async (folder) => {
    const isTaken = (name: string) => lstatSync(inside(folder, name), { throwIfNoEntry: false }) !== undefined
    const name = freeName(plainName(file), isTaken)
    names.push(name)
    await fetchTo(options, file, folder, name)
  })
