import { rmSync } from "node:fs"
import { Readable } from "node:stream"
import type { CloneSource } from "../../core/git.ts"
import type { Api, Bundle } from "./api.ts"
import { inside } from "./checkpoint/folder.ts"
import { type BundleFile, fetchTo, freeName, plainName } from "./downloads.ts"
import { harness } from "./harness.ts"
import { withHouse, writeTo } from "./house.ts"
import { giveTo, type User } from "./isolation.ts"

type Options = {
  root: string
  bundle: Bundle
  /** What will be cloned there. */
  repositories: CloneSource[]
  api: Api
  runId: string
  user: User | undefined
  signal: AbortSignal
}

/**
 * Makes the folders that the agent finds at the start, with the task, the rules of the house and the files that it was given, in place of
 * what an image may have there by those names.
 */
export const prepareWorkspace = async (options: Options) => {
  const { root, bundle, repositories, user } = options
  await writeText(options, "TASK.md", `${bundle.instructions.trimEnd()}\n`)
  const input = await fetchAll(options, "input", bundle.input_files)
  const reference = await fetchAll(options, "reference", bundle.reference_files)
  await writeText(options, "HARNESS.md", harness(bundle, { root, input, reference, repositories }))
  await withHouse(options, "output", () => undefined)
  if (user) await giveTo(root, user)
}

const writeText = (options: Options, name: string, text: string) =>
  withHouse(options, "task", async (folder) => {
    rmSync(inside(folder, name), { recursive: true, force: true })
    await writeTo(folder, name, Readable.from([text]), options.user)
  })

/** Answers the names that the files have there. */
const fetchAll = (options: Options, house: string, files: BundleFile[]): Promise<string[]> =>
  withHouse(options, house, async (folder) => {
    const names: string[] = []
    for (const file of files) {
      const name = freeName(plainName(file), (one) => names.includes(one))
      rmSync(inside(folder, name), { recursive: true, force: true })
      await fetchTo(options, file, folder, name)
      names.push(name)
    }
    return names
  })
