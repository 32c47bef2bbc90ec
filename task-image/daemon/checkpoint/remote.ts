import { checkpointObjects } from "../../../core/protocol.ts"
import { type Api, Refused } from "../api.ts"
import { persist, readAll, send, stallSeconds } from "../http.ts"
import { UploadFailed, upload } from "../upload.ts"
import type { Store } from "./store.ts"

/** What ends a transfer before it is through. */
type Signals = { reading: AbortSignal; writing: AbortSignal }

/** The store of checkpoints that the API gives a run access to. */
export const createRemoteStore = (api: Api, runId: string, { reading, writing }: Signals): Store => ({
  put: async (objects) => {
    const described = objects.map(({ name, bytes }) => ({ name, size_bytes: bytes.length }))
    const store = async () => {
      // Each attempt asks for new addresses, since the old ones may have run out.
      const { objects: places } = await api.prepareCheckpoint(runId, { objects: described })
      await Promise.all(places.map((place, i) => create(place, objects[i]!.bytes, writing)))
    }
    await persist(store, (error) => error instanceof UploadFailed, writing)
  },
  get: async (names) => {
    const found: Buffer[] = []
    for (let i = 0; i < names.length; i += checkpointObjects) {
      found.push(...(await read(api, runId, names.slice(i, i + checkpointObjects), reading)))
    }
    return found
  },
  commit: async ({ added, ...move }) => {
    const described = added.map(({ name, bytes }) => ({ name, size_bytes: bytes }))
    await api.commitCheckpoint(runId, { ...move, added: described })
  },
})

/** Names are never used twice: an object that is there already is ours, from an attempt whose answer was lost. */
const create = async (place: Parameters<typeof upload>[0], bytes: Buffer, signal: AbortSignal) => {
  try {
    await upload(place, bytes, bytes.length, signal)
  } catch (error) {
    if (!(error instanceof UploadFailed && error.status === 412)) throw error
  }
}

const read = (api: Api, runId: string, names: string[], signal: AbortSignal): Promise<Buffer[]> =>
  persist(
    async () => {
      const { objects } = await api.checkpointAddresses(runId, { names })
      return Promise.all(objects.map(({ url }) => download(url, signal)))
    },
    (error) => !(error instanceof Refused),
    signal,
  )

const download = async (url: string, signal: AbortSignal): Promise<Buffer> => {
  const response = await send(new URL(url), { method: "GET", signal, stallSeconds })
  const bytes = await readAll(response)
  if (response.statusCode !== 200)
    throw new Error(`A part of the checkpoint could not be read: the store answered ${response.statusCode}`)
  return bytes
}
