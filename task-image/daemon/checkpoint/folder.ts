import { closeSync, constants, existsSync, openSync } from "node:fs"

/**
 * Folders that are held by a descriptor. What is named `inside` one is found in that very folder, even when its path has been made
 * to lead elsewhere meanwhile: so nothing that the agent swaps for a link is followed.
 */
export type Folder = { descriptor: number; path: string }

/** Node has no `openat`; Linux offers the same by this path. Elsewhere, as on a developer's machine, the plain path must do. */
const descriptors = "/proc/self/fd"
const hasDescriptors = existsSync(descriptors)

/** Opens a folder; throws where the last name of the path is a link, or no folder. */
export const openFolder = (path: string): Folder => {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW
  return { descriptor: openSync(path, flags), path }
}

export const closeFolder = ({ descriptor }: Folder) => closeSync(descriptor)

export const inside = ({ descriptor, path }: Folder, name: string) =>
  hasDescriptors ? `${descriptors}/${descriptor}/${name}` : `${path}/${name}`

/** The folder of that name inside another. */
export const openInside = (folder: Folder, name: string): Folder => ({
  ...openFolder(inside(folder, name)),
  path: `${folder.path}/${name}`,
})

/** Goes about below a root, with the folders on the way to the current one held open: neighbours in a tree cost little. */
export const createWay = (root: Folder) => {
  const way: { name: string; folder: Folder }[] = []
  const leave = (depth: number) => {
    for (const { folder } of way.splice(depth).reverse()) closeFolder(folder)
  }
  /** The folder of that path below the root; the root itself for the empty one. Good until the next is entered. */
  const enter = (path: string): Folder => {
    const names = path === "" ? [] : path.split("/")
    let shared = 0
    while (shared < names.length && way[shared]?.name === names[shared]) shared++
    leave(shared)
    for (const name of names.slice(shared)) way.push({ name, folder: openInside(way.at(-1)?.folder ?? root, name) })
    return way.at(-1)?.folder ?? root
  }
  return { enter, close: () => leave(0) }
}
