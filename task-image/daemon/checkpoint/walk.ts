import { lstatSync, readdirSync, readlinkSync, type Stats } from "node:fs"
import { isName, isShort } from "./chain.ts"
import { closeFolder, type Folder, inside, openInside } from "./folder.ts"
import type { User } from "./place.ts"

/** Something that a walk came by. `at` names it for as long as the walk has not gone on. */
export type Found = { path: string; at: string; stat: Stats; target?: string }

/** What a root holds and no checkpoint keeps, by path. */
export type Leave = (path: string) => boolean

type Options = {
  leave: Leave
  /** The agent, where it is another user than we are. */
  user: User | undefined
  onLeftOut: (path: string, why: string) => void
}

/**
 * Everything below a folder, `path` before it: of each folder its files first, by name, then what is in its folders. What is there
 * when the walk begins and gone when it gets there is no longer there.
 */
export function* walk(folder: Folder, path: string, options: Options): Generator<Found> {
  const folders: string[] = []
  for (const name of namesIn(folder, path, options)) {
    const below = `${path}/${name}`
    if (options.leave(below)) continue
    if (!isName(name) || !isShort(below)) {
      options.onLeftOut(below, "its path is too long or too deep")
      continue
    }
    const found = look(folder, name, below, options)
    if (!found) continue
    yield found
    if (found.stat.isDirectory()) folders.push(name)
  }
  for (const name of folders) {
    const inner = ifThere(() => openInside(folder, name), `${path}/${name}`, options)
    if (!inner) continue
    try {
      yield* walk(inner, `${path}/${name}`, options)
    } finally {
      closeFolder(inner)
    }
  }
}

const namesIn = (folder: Folder, path: string, options: Options): string[] => {
  const raw = ifThere(() => readdirSync(inside(folder, "."), { encoding: "buffer" }), path, options) ?? []
  const names = raw.flatMap((bytes) => {
    const name = textOf(bytes)
    if (name !== undefined) return [name]
    options.onLeftOut(`${path}/${bytes.toString("utf8")}`, "its name is not UTF-8")
    return []
  })
  return names.sort()
}

const textOf = (bytes: Buffer): string | undefined => {
  const text = bytes.toString("utf8")
  return Buffer.from(text).equals(bytes) ? text : undefined
}

const look = (folder: Folder, name: string, path: string, options: Options): Found | undefined => {
  const at = inside(folder, name)
  return ifThere(
    () => {
      const stat = lstatSync(at)
      if (stat.isSymbolicLink()) {
        const target = textOf(readlinkSync(at, { encoding: "buffer" }))
        if (target === undefined) options.onLeftOut(path, "what it links to is not UTF-8")
        return target === undefined ? undefined : { path, at, stat, target }
      }
      if (stat.isDirectory() || (stat.isFile() && !isForeign(stat, options.user))) return { path, at, stat }
      options.onLeftOut(path, stat.isFile() ? "it is a hard link to a file that is not the agent's" : "it is no file")
      return undefined
    },
    path,
    options,
  )
}

/** A second name for a file that the agent could not read must not make us read it. */
export const isForeign = ({ nlink, uid }: Stats, user: User | undefined) => user !== undefined && nlink > 1 && uid !== user.uid

const gone = new Set(["ENOENT", "ENOTDIR", "ELOOP"])

/** What `look` answers; nothing where it is gone, or not to be read by us. */
export const ifThere = <T>(look: () => T, path: string, { onLeftOut }: Pick<Options, "onLeftOut">): T | undefined => {
  try {
    return look()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === "EACCES" || code === "EPERM") onLeftOut(path, "it cannot be read")
    else if (!gone.has(String(code))) throw error
    return undefined
  }
}
