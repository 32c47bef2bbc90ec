import { spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import type { Task } from "@aws-sdk/client-ecs"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { isAlive, killHost, makeEcs } from "./fixture.ts"

/** What holds for tasks that run without isolation. */

let aws: Awaited<ReturnType<typeof makeEcs>>

beforeEach(async () => {
  aws = await makeEcs("none")
})

afterEach(() => aws.remove())

const idOf = ({ taskArn }: Task) => taskArn!.split("/").at(-1)!
const ended = (task: Task) => expect.poll(() => aws.told(task), { timeout: 10_000 }).toEqual(["RUNNING", "STOPPED"])
const childOf = (task: Task) => Number((aws.said(task)[0] as { child: number }).child)

/** Starts a process that never ends by itself, and says which. */
const parent = `
  const { spawn } = await import("node:child_process")
  say({ child: spawn("sleep", ["1000"]).pid, self: process.pid })
`

describe("a task without isolation", () => {
  it("gets its own variables, and of this machine only where programs and languages are", async () => {
    process.env.DORMOUSE_TEST_SECRET = "secret"
    await aws.open()
    const task = await aws.run("say(Object.keys(process.env).sort()); say([process.env.HOME, workspace])")
    delete process.env.DORMOUSE_TEST_SECRET
    await ended(task)
    const folder = join(aws.data, "tasks", idOf(task))
    const ours = ["DORMOUSE_CLOCK", "DORMOUSE_ECS_TASK", "DORMOUSE_NOTICE", "DORMOUSE_WORKSPACE"]
    const own = [...ours, "HOME", "KIND", "LANG", "PATH", "PWD", "SCRIPT"]
    expect(aws.said(task)).toEqual([own, [join(folder, "home"), join(folder, "workspace")]])
    expect(readFileSync(join(aws.data, "logs", "tasks", `${idOf(task)}.log`), "utf8")).toMatch(
      /^This task runs without isolation/,
    )
  })

  it("leaves no process behind when its container ends", async () => {
    await aws.open()
    const task = await aws.run(`${parent}; process.exit(0)`)
    await ended(task)
    await expect.poll(() => isAlive(childOf(task))).toBe(false)
  })

  it("is ended at the next start when the host was killed, with all its processes, and told of once", async () => {
    const { task } = await killHost(aws, `${parent}; setInterval(() => {}, 1000)`)
    expect(isAlive(childOf(task))).toBe(true)
    await aws.open()
    await expect.poll(() => isAlive(childOf(task))).toBe(false)
    await expect.poll(() => isAlive((aws.said(task)[0] as { self: number }).self)).toBe(false)
    expect(aws.told(task)).toEqual(["STOPPED"])
    await aws.close()
    await aws.open()
    expect(aws.told(task)).toEqual(["STOPPED"])
  })

  it("is ended with what it left behind when only the first of its processes is gone", async () => {
    const { task } = await killHost(aws, parent)
    await expect.poll(() => isAlive((aws.said(task)[0] as { self: number }).self)).toBe(true)
    process.kill((aws.said(task)[0] as { self: number }).self, "SIGKILL")
    await expect.poll(() => isAlive((aws.said(task)[0] as { self: number }).self)).toBe(false)
    expect(isAlive(childOf(task))).toBe(true)
    await aws.open()
    await expect.poll(() => isAlive(childOf(task))).toBe(false)
  })

  it("never makes the host kill a process that only has the number of an earlier one", async () => {
    const { task } = await killHost(aws, parent)
    const innocent = spawn("sleep", ["1000"], { detached: true, stdio: "ignore" })
    await once(innocent, "spawn")
    const db = new DatabaseSync(aws.options.path)
    db.prepare("UPDATE tasks SET pid = ?").run(innocent.pid!)
    db.close()
    await aws.open()
    expect(aws.told(task)).toEqual(["STOPPED"])
    expect(isAlive(innocent.pid!)).toBe(true)
    for (const pid of [innocent.pid!, childOf(task), (aws.said(task)[0] as { self: number }).self]) process.kill(pid, "SIGKILL")
  })
})
