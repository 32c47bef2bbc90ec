import { mkdirSync, realpathSync } from "node:fs"
import { type Chain, emptyChain, extend } from "./chain.ts"
import type { Root } from "./collect.ts"
import { decode, segmentBytesMax } from "./manifest.ts"
import { decompress } from "./packs.ts"
import type { User } from "./place.ts"
import { restore } from "./restore.ts"
import { type State, save } from "./save.ts"
import type { Store } from "./store.ts"
import type { Leave } from "./walk.ts"

type Options = {
  runId: string
  roots: Root[]
  store: Store
  /** The agent, where it is another user than we are: it owns what is restored. */
  user?: User
  leave?: Leave
  onLeftOut?: (path: string, why: string) => void
}

/** Keeps some folders from one container to the next. */
export const createCheckpoints = ({
  runId,
  store,
  user,
  leave = () => false,
  onLeftOut = () => undefined,
  ...options
}: Options) => {
  const roots = options.roots.map((root) => ({ ...root, path: prepared(root.path) }))
  const numbers = { p: 0, s: 0 }
  const nameOf = (kind: "p" | "s") => `${runId}/${kind}${++numbers[kind]}`
  const names = { pack: () => nameOf("p"), segment: () => nameOf("s") }
  let state: State = { chain: emptyChain(), stamps: new Map() }
  return {
    /** Makes the folders what they were at the end of a chain of segments. Throws `Damaged`. */
    restore: async (segments: string[]) => {
      const chain = await readChain(store, segments)
      state = { chain, stamps: await restore({ chain, roots, store, user }) }
    },
    /** Stores what has changed since. Answers whether there was anything. */
    save: async (): Promise<boolean> => {
      const before = state.chain
      state = await save({ state, roots, leave, user, store, names, onLeftOut })
      return state.chain !== before
    },
    chain: () => state.chain,
  }
}

/** Where the folder really is, so that from here on no link has to be followed to it. */
const prepared = (path: string) => {
  mkdirSync(path, { recursive: true })
  return realpathSync(path)
}

const readChain = async (store: Store, names: string[]): Promise<Chain> => {
  const stored = await store.get(names)
  let chain = emptyChain()
  for (const [i, name] of names.entries()) {
    const text = await decompress(stored[i]!, segmentBytesMax)
    chain = extend(chain, name, decode(text.toString("utf8")))
  }
  return chain
}
