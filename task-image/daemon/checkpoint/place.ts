import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  ftruncateSync,
  futimesSync,
  lchownSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  type Stats,
  symlinkSync,
  writeSync,
} from "node:fs"
import { sizeOf } from "./chain.ts"
import { closeFolder, createWay, inside, openFolder } from "./folder.ts"
import { Damaged, type Entry } from "./manifest.ts"
import { isZero } from "./split.ts"

export type User = { uid: number; gid: number }

type FileEntry = Extract<Entry, { kind: "file" }>

/** The part of a file that one pack holds. */
export type Part = {
  path: string
  entry: FileEntry
  /** From where in the pack to where in the file. */
  pieces: { from: number; to: number; length: number }[]
  isFirst: boolean
  isLast: boolean
}

/**
 * A folder in which things are made that were not there before. Every way to one begins at the folder itself, as it was opened, and
 * follows nothing: what somebody swaps meanwhile makes it fail, never lead elsewhere. Paths are below the folder.
 */
export const createPlace = (path: string, user: User | undefined) => {
  const root = openFolder(path)
  const way = createWay(root)
  for (const name of readdirSync(inside(root, "."))) rmSync(inside(root, name), { recursive: true, force: true })
  /** Files that are not whole yet, by what tells them from any other that may have taken their place. */
  const begun = new Map<string, Pick<Stats, "dev" | "ino">>()
  const at = (path: string) => {
    const slash = path.lastIndexOf("/")
    return inside(way.enter(path.slice(0, Math.max(slash, 0))), path.slice(slash + 1))
  }

  const open = ({ path, isFirst, isLast }: Part): number => {
    const isNew = isFirst ? constants.O_CREAT | constants.O_EXCL : 0
    const file = openSync(at(path), constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | isNew, 0o600)
    // What is whole at once is not opened again: nothing has to be told from it.
    if (isFirst && isLast) return file
    const { dev, ino, nlink } = fstatSync(file)
    const before = begun.get(path)
    if (isFirst) begun.set(path, { dev, ino })
    else if (before?.dev !== dev || before.ino !== ino || nlink !== 1) {
      closeSync(file)
      throw new Damaged(`${JSON.stringify(path)} was swapped while it was restored`)
    }
    return file
  }

  return {
    makeFolder: (path: string) => mkdirSync(at(path), 0o700),
    makeLink: (path: string, target: string) => {
      const link = at(path)
      symlinkSync(target, link)
      if (user) lchownSync(link, user.uid, user.gid)
    },
    /** Writes a part of a file; with the last one it is what it was. Answers how it looks then. What is zero is left a hole. */
    write: (part: Part, pack: Buffer): Stats | undefined => {
      const { path, entry, pieces, isFirst, isLast } = part
      const file = open(part)
      try {
        if (isFirst && sizeOf(entry) >= holeBytes) ftruncateSync(file, sizeOf(entry))
        for (const { from, to, length } of pieces) writeSparsely(file, pack, from, to, length)
        if (!isLast) return undefined
        begun.delete(path)
        if (user) fchownSync(file, user.uid, user.gid)
        fchmodSync(file, entry.mode)
        futimesSync(file, entry.mtime / 1000, entry.mtime / 1000)
        return fstatSync(file)
      } finally {
        closeSync(file)
      }
    },
    /** Gives a folder its owner and its permissions: last of all, since they may keep us out. */
    finishFolder: (path: string, mode: number) => {
      const { descriptor } = way.enter(path)
      if (user) fchownSync(descriptor, user.uid, user.gid)
      fchmodSync(descriptor, mode)
    },
    leave: () => {
      way.close()
      closeFolder(root)
    },
  }
}

/** Zeros of so many bytes are not written, into a file that is as long as it will be. */
const holeBytes = 64 * 1024

/** Leaves holes where there are zeros, so that a sparse file takes no more of the disk than before. */
const writeSparsely = (file: number, bytes: Buffer, from: number, to: number, length: number) => {
  let done = 0
  for (let at = 0; at + holeBytes <= length; at += holeBytes) {
    if (!isZero(bytes, from + at, from + at + holeBytes)) continue
    writeAll(file, bytes, from + done, to + done, at - done)
    done = at + holeBytes
  }
  writeAll(file, bytes, from + done, to + done, length - done)
}

const writeAll = (file: number, bytes: Buffer, from: number, to: number, length: number) => {
  for (let done = 0; done < length; ) done += writeSync(file, bytes, from + done, length - done, to + done)
}
