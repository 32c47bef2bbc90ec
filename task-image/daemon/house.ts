import { closeSync, constants, createWriteStream, fchownSync, fstatSync, lstatSync, mkdirSync, openSync, rmSync } from "node:fs"
import type { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { closeFolder, type Folder, inside, openFolder, openInside } from "./checkpoint/folder.ts"
import type { User } from "./isolation.ts"

/**
 * The folders of the workspace that the daemon writes to, perhaps as root. What is in them comes from the image or from the agent, so no
 * link there is followed.
 */

type Place = { root: string; user: User | undefined }

/** Does `work` with a folder of the workspace, which is one then, whatever somebody has made of it. */
export const withHouse = async <T>(place: Place, name: string, work: (folder: Folder) => T | Promise<T>): Promise<T> => {
  const folder = openHouse(place, name)
  try {
    return await work(folder)
  } finally {
    closeFolder(folder)
  }
}

const openHouse = ({ root, user }: Place, name: string): Folder => {
  const workspace = openFolder(root)
  try {
    const path = inside(workspace, name)
    if (!lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) {
      rmSync(path, { force: true })
      mkdirSync(path)
    }
    const folder = openInside(workspace, name)
    if (user) fchownSync(folder.descriptor, user.uid, user.gid)
    return folder
  } finally {
    closeFolder(workspace)
  }
}

/** Writes a file of the user's in place of one that may have the name. Answers its size in bytes. */
export const writeTo = async (folder: Folder, name: string, content: Readable, user: User | undefined): Promise<number> => {
  const path = inside(folder, name)
  rmSync(path, { force: true })
  const file = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o644)
  try {
    if (user) fchownSync(file, user.uid, user.gid)
    await pipeline(content, createWriteStream("", { fd: file, autoClose: false }))
    return fstatSync(file).size
  } finally {
    closeSync(file)
  }
}
