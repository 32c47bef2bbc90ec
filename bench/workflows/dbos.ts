import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freePort, load, type System, signals } from "./system.ts"

/** DBOS in this process, on a PostgreSQL of its own as Debian has it, which keeps what it has answered for. */

interface Dbos {
  setConfig(config: object): void
  launch(): Promise<void>
  shutdown(): Promise<void>
  registerWorkflow<Run>(run: Run, options: { name: string }): Run
  startWorkflow(run: () => Promise<string>): () => Promise<{ workflowID: string; getResult(): Promise<string> }>
  send(workflowId: string, message: string, topic: string): Promise<void>
  recv(topic: string, timeoutSeconds: number): Promise<string | null>
}

export const openDbos = async (packages: string): Promise<System> => {
  const { DBOS } = load<{ DBOS: Dbos }>(packages, "@dbos-inc/dbos-sdk")
  const postgres = await startPostgres()
  DBOS.setConfig({ name: "bench", systemDatabaseUrl: postgres.url, logLevel: "error", runAdminServer: false })
  const run = async () => {
    for (const signal of signals) await DBOS.recv(signal, 600)
    return "Done."
  }
  const task = DBOS.registerWorkflow(run, { name: "task" })
  await DBOS.launch()
  return {
    name: "DBOS",
    one: async () => {
      const handle = await DBOS.startWorkflow(task)()
      for (const signal of signals) await DBOS.send(handle.workflowID, signal, signal)
      await handle.getResult()
    },
    close: async () => {
      await DBOS.shutdown()
      await postgres.close()
    },
  }
}

/** PostgreSQL refuses to be root. */
const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : undefined

const startPostgres = async () => {
  const versions = "/usr/lib/postgresql"
  const newest = existsSync(versions) ? readdirSync(versions).toSorted((a, b) => Number(b) - Number(a))[0] : undefined
  if (!newest) throw new Error("DBOS needs PostgreSQL: install the package postgresql")
  const bin = join(versions, newest, "bin")
  const folder = mkdtempSync(join(tmpdir(), "dormouse-postgres-"))
  if (nobody) chownSync(folder, nobody.uid, nobody.gid)
  const data = join(folder, "data")
  execFileSync(join(bin, "initdb"), ["-D", data, "-U", "bench", "-A", "trust"], { ...nobody, cwd: folder, stdio: "ignore" })
  const port = await freePort()
  const options = ["-D", data, "-k", folder, "-h", "127.0.0.1", "-p", String(port)]
  const server = spawn(join(bin, "postgres"), options, { ...nobody, cwd: folder, stdio: "ignore" })
  // However the bench ends.
  process.once("exit", () => server.kill("SIGKILL"))
  const isReady = () => {
    try {
      execFileSync(join(bin, "pg_isready"), ["-h", "127.0.0.1", "-p", String(port)], { stdio: "ignore" })
      return true
    } catch {
      return false
    }
  }
  for (let tries = 0; tries < 300 && !isReady(); tries++) await new Promise((resolve) => setTimeout(resolve, 100))
  return {
    url: `postgresql://bench@127.0.0.1:${port}/bench_dbos_sys`,
    close: async () => {
      server.kill("SIGINT")
      await once(server, "exit")
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
