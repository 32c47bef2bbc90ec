import { lstatSync } from "node:fs"
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
  for (const { content, files } of messages) {
    const paths: string[] = []
    for (const file of files) paths.push(await deliverFile(options, file))
    delivered.push({ content, files: paths })
  }
  return delivered
}

/** The agent may be at work meanwhile: so the folder is opened for each file anew. */
const deliverFile = (options: Options, file: BundleFile) =>
  withHouse(options, "input", async (folder) => {
    const isTaken = (name: string) => lstatSync(inside(folder, name), { throwIfNoEntry: false }) !== undefined
    const name = freeName(plainName(file), isTaken)
    await fetchTo(options, file, folder, name)
    return `input/${name}`
  })
