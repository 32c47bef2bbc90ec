import { closeSync, constants, createWriteStream, fchownSync, lstatSync, mkdirSync, openSync, rmSync } from "node:fs"
import type { IncomingMessage } from "node:http"
import { basename, extname } from "node:path"
import { pipeline } from "node:stream/promises"
import type { Api, Turn } from "./api.ts"
import { closeFolder, type Folder, inside, openFolder, openInside } from "./checkpoint/folder.ts"
import type { User } from "./isolation.ts"
import type { Delivered } from "./prompts.ts"
import { download, plainName } from "./workspace.ts"

type Options = { root: string; api: Api; runId: string; user: User | undefined }

/**
 * Lays the files of messages into `input/`, beside what is there: nothing is overwritten, and no link that the agent may have made is
 * followed. Answers the messages with the paths of their files.
 */
export const deliver = async (options: Options, messages: Turn["messages"]): Promise<Delivered[]> => {
  const delivered: Delivered[] = []
  for (const { content, files } of messages) {
    const paths: string[] = []
    for (const file of files) paths.push(await fetchTo(options, file))
    delivered.push({ content, files: paths })
  }
  return delivered
}

const fetchTo = async ({ root, api, runId, user }: Options, file: Turn["messages"][number]["files"][number]) => {
  const folder = openInput(root, user)
  try {
    const name = freeName(folder, plainName(file))
    await download(api, runId, file, (response) => write(folder, name, response, user))
    return `input/${name}`
  } finally {
    closeFolder(folder)
  }
}

/** `input/` as a folder, whatever the agent has made of it. */
const openInput = (root: string, user: User | undefined): Folder => {
  const workspace = openFolder(root)
  try {
    const path = inside(workspace, "input")
    if (!lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) {
      rmSync(path, { force: true })
      mkdirSync(path)
    }
    const folder = openInside(workspace, "input")
    if (user) fchownSync(folder.descriptor, user.uid, user.gid)
    return folder
  } finally {
    closeFolder(workspace)
  }
}

const freeName = (folder: Folder, name: string): string => {
  const isTaken = (one: string) => lstatSync(inside(folder, one), { throwIfNoEntry: false }) !== undefined
  let free = name
  for (let n = 2; isTaken(free); n++) free = `${basename(name, extname(name))}-${n}${extname(name)}`
  return free
}

const write = async (folder: Folder, name: string, response: IncomingMessage, user: User | undefined) => {
  const path = inside(folder, name)
  // An attempt before this one may have left a part of it.
  rmSync(path, { force: true })
  const file = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o644)
  try {
    if (user) fchownSync(file, user.uid, user.gid)
    await pipeline(response, createWriteStream("", { fd: file, autoClose: false }))
  } finally {
    closeSync(file)
  }
}
