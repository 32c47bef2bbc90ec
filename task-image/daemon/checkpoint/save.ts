import { type Chain, check, emptyChain, extend } from "./chain.ts"
import { collect, type Root, type Stamp } from "./collect.ts"
import { packsToRetire } from "./compaction.ts"
import { type Entry, encode, type Pack, type Segment, segmentBytesMax, type Tree } from "./manifest.ts"
import { compress, createPacker } from "./packs.ts"
import type { User } from "./place.ts"
import type { Store } from "./store.ts"
import type { Leave } from "./walk.ts"

/** What is known of the folders: the last checkpoint of them, and how its files looked. */
export type State = { chain: Chain; stamps: Map<string, Stamp> }

type Options = {
  state: State
  roots: Root[]
  leave: Leave
  user: User | undefined
  store: Store
  names: { pack: () => string; segment: () => string }
  onLeftOut: (path: string, why: string) => void
}

/** Uploads that go together. */
const batch = 4

/**
 * Makes a checkpoint of the folders and answers what is known of them now. Where nothing has changed, nothing is stored; nor is what would
 * be refused when it is restored.
 */
export const save = async ({ state, store, names, ...where }: Options): Promise<State> => {
  const { chain, stamps: before } = state
  const retired = packsToRetire(chain)
  const waiting: { name: string; bytes: Buffer }[] = []
  const onPack = async (name: string, bytes: Buffer) => {
    waiting.push({ name, bytes })
    if (waiting.length >= batch) await store.put(waiting.splice(0))
  }
  const packer = createPacker({ nextName: names.pack, onPack })
  const { tree, stamps } = await collect({ ...where, chain, stamps: before, retired: retired ?? new Set(), packer })
  const packs = await packer.finish()

  const segment = retired ? anew(chain, tree, packs, retired) : increment(chain, tree, packs)
  if (segment.changes.size === 0 && !retired) return { chain, stamps }
  const name = names.segment()
  const next = extend(retired ? emptyChain() : chain, name, segment)
  check(
    next,
    where.roots.map(({ name }) => name),
  )
  const text = Buffer.from(encode(segment))
  if (text.length > segmentBytesMax) throw new Error("the list of its files is too long")
  const bytes = await compress(text)
  await store.put([...waiting, { name, bytes }])
  await store.commit({
    previous: chain.segments.at(-1) ?? null,
    segment: name,
    added: [...[...packs].map(([name, { stored }]) => ({ name, bytes: stored })), { name, bytes: bytes.length }],
    released: retired ? [...retired, ...chain.segments] : [],
  })
  return { chain: next, stamps }
}

/** What is different from the chain. */
const increment = (chain: Chain, tree: Tree, packs: Map<string, Pack>): Segment => {
  const changes = new Map<string, Entry | undefined>()
  for (const path of chain.tree.keys()) if (!tree.has(path)) changes.set(path, undefined)
  for (const [path, entry] of tree) if (chain.tree.get(path) !== entry) changes.set(path, entry)
  return { previous: chain.segments.at(-1) ?? null, packs, changes }
}

/** Everything, with what is still used of the old packs. */
const anew = (chain: Chain, tree: Tree, packs: Map<string, Pack>, retired: Set<string>): Segment => {
  const kept = [...chain.packs].filter(([name]) => !retired.has(name))
  return { previous: null, packs: new Map([...kept, ...packs]), changes: tree }
}
