/** Where the objects of checkpoints lie. What is put there is there for good: no name is written twice. */
export type Store = {
  put(objects: { name: string; bytes: Buffer }[]): Promise<void>
  /** In the order of the names. */
  get(names: string[]): Promise<Buffer[]>
  /** Moves the head from what the writer believes it to be. Nothing of a checkpoint counts before this. */
  commit(move: Move): Promise<void>
}

export type Move = {
  previous: string | null
  /** The new head. */
  segment: string
  /** Objects that belong to the chain from now on, the segment among them, and those that no longer do. */
  added: { name: string; bytes: number }[]
  released: string[]
}
