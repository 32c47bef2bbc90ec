import type { Dirent } from "node:fs"
import { lstat, readdir } from "node:fs/promises"
import { join } from "node:path"

/** `path` is below `output/`, with forward slashes; `stamp` is another one once the file is another. */
export type OutputFile = { path: string; size: number; stamp: string }

export const filesMax = 1000
export const fileBytesMax = 5 * 1024 ** 3
const pathCharactersMax = 1024

/**
 * The regular files below `folder`, sorted by path, and a sentence for each thing that is left out. Links are not followed:
 * what they point to may be anybody's.
 */
export const findOutputs = async (folder: string): Promise<{ files: OutputFile[]; leftOut: string[] }> => {
  const files: OutputFile[] = []
  const leftOut: string[] = []

  const visit = async (below: string) => {
    const entries = await readdir(join(folder, below), { withFileTypes: true, encoding: "buffer" }).catch(unlessGone)
    for (const entry of entries ?? []) {
      const name = entry.name.toString("utf8")
      const path = below ? `${below}/${name}` : name
      const why = whyNot(entry, path)
      if (why) leftOut.push(`${JSON.stringify(path)} is left out: ${why}`)
      else if (entry.isDirectory()) await visit(path)
      else await addFile(path)
    }
  }
  const addFile = async (path: string) => {
    const found = await lstat(join(folder, path)).catch(unlessGone)
    if (!found) return
    const { size, nlink, uid, ino, mtimeMs, ctimeMs } = found
    // A second name for a file that the agent could not read must not make us read it.
    if (nlink > 1 && uid === 0 && process.getuid?.() === 0) leftOut.push(`${JSON.stringify(path)} is left out: it is a hard link`)
    else if (size > fileBytesMax) leftOut.push(`${JSON.stringify(path)} is left out: it is larger than 5 GiB`)
    else files.push({ path, size, stamp: [ino, size, mtimeMs, ctimeMs].join() })
  }

  const top = await lstat(folder).catch(() => undefined)
  if (!top?.isDirectory()) return { files, leftOut: ["output/ is not a folder any more"] }
  await visit("")
  files.sort((a, b) => (a.path < b.path ? -1 : 1))
  if (files.length > filesMax) {
    leftOut.push(`output/ holds ${files.length} files; only the first ${filesMax} by name are kept`)
    files.length = filesMax
  }
  return { files, leftOut }
}

/** What vanishes while outputs are looked for is none. */
const unlessGone = (error: NodeJS.ErrnoException): undefined => {
  if (error.code !== "ENOENT" && error.code !== "ENOTDIR") throw error
}

const whyNot = (entry: Dirent<Buffer>, path: string): string | undefined => {
  if (entry.isSymbolicLink()) return "it is a link"
  if (!entry.isFile() && !entry.isDirectory()) return "it is not a regular file"
  if (!Buffer.from(entry.name.toString("utf8")).equals(entry.name)) return "its name is not UTF-8"
  if (/\p{Cc}|\\/u.test(path)) return "its name has control characters or a backslash"
  return path.length > pathCharactersMax ? `its path is longer than ${pathCharactersMax} characters` : undefined
}
