import type { Dirent } from "node:fs"
import { chmod, readdir, rm } from "node:fs/promises"
import { join } from "node:path"

const refused = ["EACCES", "EPERM"]

/** Some tools leave folders that even their owner may not write to. */
const makeWritable = async (folder: string): Promise<void> => {
  await chmod(folder, 0o700)
  const entries: Dirent[] = await readdir(folder, { withFileTypes: true })
  for (const entry of entries) if (entry.isDirectory()) await makeWritable(join(folder, entry.name))
}

/** Removes a folder with whatever a container has put there. One that is gone already is no problem. */
export const removeFolder = async (folder: string): Promise<void> => {
  try {
    await rm(folder, { recursive: true, force: true })
  } catch (error) {
    if (!(error instanceof Error && "code" in error && refused.includes(String(error.code)))) throw error
    await makeWritable(folder)
    await rm(folder, { recursive: true, force: true })
  }
}
