import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freePort, load, type System, signals } from "./system.ts"

/** Restate's own server, as it is without any configuration but for its ports, with one workflow served from this process. */

interface Context {
  key: string
  promise(name: string): PromiseLike<string> & { resolve(value: string): Promise<void> }
}

interface Sdk {
  workflow(definition: object): object
  serve(options: { services: object[]; port: number }): Promise<number>
}

interface Clients {
  connect(options: { url: string }): {
    workflowClient(
      definition: { name: string },
      key: string,
    ): {
      workflowSubmit(): Promise<object>
      workflowAttach(): Promise<string>
      signal(name: string): Promise<void>
    }
  }
}

/** The program itself, since the command that npm has for it would be ended without it. */
const programIn = (packages: string) =>
  join(packages, `node_modules/@restatedev/restate-server-${process.platform}-${process.arch}/bin/restate-server`)

export const openRestate = async (packages: string): Promise<System> => {
  process.env.RESTATE_LOGGING = "ERROR"
  const sdk = load<Sdk>(packages, "@restatedev/restate-sdk")
  const { connect } = load<Clients>(packages, "@restatedev/restate-sdk-clients")
  const task = sdk.workflow({
    name: "task",
    handlers: {
      run: async (context: Context) => {
        for (const signal of signals) await context.promise(signal)
        return "Done."
      },
      signal: (context: Context, name: string) => context.promise(name).resolve(name),
    },
  })
  const [app, ingress, admin, node] = await Promise.all([freePort(), freePort(), freePort(), freePort()])
  const folder = mkdtempSync(join(tmpdir(), "dormouse-restate-"))
  await sdk.serve({ services: [task], port: app })
  const server = spawn(programIn(packages), ["--base-dir", folder, "--no-logo"], {
    env: {
      ...process.env,
      RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${ingress}`,
      RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${admin}`,
      RESTATE_BIND_ADDRESS: `127.0.0.1:${node}`,
      RESTATE_LISTEN_MODE: "tcp",
      RUST_LOG: "error",
    },
    stdio: "ignore",
  })
  // However the bench ends.
  process.once("exit", () => server.kill("SIGKILL"))
  await untilHealthy(`http://127.0.0.1:${admin}/health`)
  const registered = await fetch(`http://127.0.0.1:${admin}/deployments`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ uri: `http://127.0.0.1:${app}` }),
  })
  if (!registered.ok) throw new Error(`Restate did not take the workflow: ${await registered.text()}`)
  await untilHealthy(`http://127.0.0.1:${ingress}/restate/health`)

  const ingressClient = connect({ url: `http://127.0.0.1:${ingress}` })
  return {
    name: "Restate",
    one: async () => {
      const client = ingressClient.workflowClient({ name: "task" }, crypto.randomUUID())
      await client.workflowSubmit()
      for (const signal of signals) await client.signal(signal)
      await client.workflowAttach()
    },
    close: async () => {
      server.kill("SIGKILL")
      await once(server, "exit")
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const untilHealthy = async (url: string) => {
  for (let tries = 0; tries < 600; tries++) {
    const response = await fetch(url).catch(() => undefined)
    if (response?.ok) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`Nothing answers at ${url}`)
}
