import { createRequire } from "node:module"
import { createServer } from "node:net"
import { join } from "node:path"

/** What is measured: something that carries out durable workflows. */
export interface System {
  name: string
  /** One workflow from its dispatch to its end: it waits to be claimed, sleeps, is woken, claimed again and finished. */
  one(): Promise<void>
  close(): Promise<void>
  /** What it has used so far, where it is counted. */
  counts?(): { transitions: number; writeUnits: number }
}

/** What a workflow waits for, one after the other. */
export const signals = ["claim", "hibernate", "wake", "finish"] as const

/** Loads a package that is installed in `folder`, and is none of this project's own. */
export const load = <Module>(folder: string, name: string): Module => createRequire(join(folder, "package.json"))(name)

export const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
