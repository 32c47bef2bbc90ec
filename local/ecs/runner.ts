import { appendFileSync, existsSync, mkdirSync, readdirSync } from "node:fs"
import { dirname, join } from "node:path"
import { after, millis, now } from "#core/clock.ts"
import { startSandboxed } from "./bubblewrap.ts"
import { type TaskDefinition, units } from "./definition.ts"
import { identityOf, orphansOf, signal } from "./identity.ts"
import type { Isolation } from "./isolation.ts"
import type { Door, Launch, Running } from "./launch.ts"
import { type Limits, mostProcesses, sayLimits } from "./limits.ts"
import { marker, startPlain } from "./plain.ts"
import { removeFolder } from "./remove.ts"
import type { Store, TaskRow } from "./store.ts"
import { commandOf, essentialOf, idOf, type StateChange, started, stateChange, stopped, stopping, type Task } from "./task.ts"
import { type Watched, watchContainers } from "./watch.ts"

export interface RunnerOptions {
  taskImage: string
  isolation: Isolation
  data: string
  environment: Record<string, string>
  /** All that a container without a network reaches. */
  doors: Door[]
  putEvent: (region: string, event: StateChange) => void
  log: (line: string) => void
}

interface Live {
  running: Running
  limits: Limits
  stopTimeoutSeconds: number
  cancelKill?: () => void
  /** It was ended for taking more than its limits allow. */
  excess?: string
}

const lost = {
  stopCode: "EssentialContainerExited",
  stoppedReason: "Essential container in task exited, because the machine stopped while it ran",
  reason: "The host ended before the container did",
}
const withoutIsolation = "This task runs without isolation: its processes can read and change what the user of this machine can."
/** Without a memory in its definition, which only Fargate asks for. */
const defaultMemory = 4096

const exited = { stopCode: "EssentialContainerExited", stoppedReason: "Essential container in task exited" }
/** The exit code of what SIGKILL has ended. */
const killed = 137

/** Runs the processes of tasks, and writes down what becomes of them. */
export class Runner {
  readonly #store: Store
  readonly #options: RunnerOptions
  readonly #live = new Map<string, Live>()
  readonly #removals = new Set<Promise<void>>()
  readonly #unwatch: () => void
  #closed: boolean = false

  constructor(store: Store, options: RunnerOptions) {
    this.#store = store
    this.#options = options
    this.#recover()
    this.#unwatch = watchContainers(() => this.#watched())
  }

  start(region: string, task: Task, definition: TaskDefinition, isIsolated: boolean) {
    const id = idOf(task)
    const { name } = essentialOf(definition)
    const fail = (error: unknown) => this.#end(region, id, name, { stopCode: "TaskFailedToStart", stoppedReason: String(error) })
    try {
      const live = this.#launch(task, definition, isIsolated)
      const { running } = live
      this.#live.set(id, live)
      if (running.pid !== 0) {
        this.#store.setProcess(id, running.pid, identityOf(running.pid) ?? "")
        running.begin()
        this.#save(region, started(task, name, millis()))
      }
      const end = (exitCode: number) => ({ ...exited, exitCode: live.excess ? killed : exitCode, reason: live.excess })
      void running.exited.then(({ exitCode }) => this.#end(region, id, name, end(exitCode)), fail)
    } catch (error) {
      fail(error)
    }
  }

  /** Asks a task to stop, and kills it when it has not done so in its time. Asked twice, it does it once. */
  stop(region: string, task: Task, reason: string): Task {
    if (task.desiredStatus === "STOPPED") return task
    const ending = stopping(task, reason, millis())
    this.#store.save(region, ending)
    const live = this.#live.get(idOf(task))
    if (live) {
      live.running.terminate()
      live.cancelKill = after(live.stopTimeoutSeconds * 1000, live.running.kill)
    }
    return ending
  }

  /** Kills what runs. To the next start it is lost, as everything that ran is after a crash. */
  async close() {
    this.#closed = true
    this.#unwatch()
    const live = [...this.#live.values()]
    for (const { running, cancelKill } of live) {
      cancelKill?.()
      running.kill()
    }
    await Promise.allSettled(live.map(({ running }) => running.exited))
    await Promise.all(this.#removals)
  }

  #watched(): Watched[] {
    const running = [...this.#live.values()].filter(({ running: { pid }, excess }) => pid !== 0 && !excess)
    return running.map((live) => ({
      pid: live.running.pid,
      limits: live.limits,
      onExceeded: (reason) => {
        live.excess = reason
        live.running.kill()
      },
    }))
  }

  #launch(task: Task, definition: TaskDefinition, isIsolated: boolean): Live {
    const { taskImage, isolation, data, environment: common, doors } = this.#options
    const { command, environment, stopTimeoutSeconds } = commandOf(task, definition)
    const taskId = idOf(task)
    const log = join(data, "logs", "tasks", `${taskId}.log`)
    const folder = join(data, "tasks", taskId)
    mkdirSync(folder, { recursive: true })
    const limits = { memory: units(definition.memory ?? defaultMemory), processes: mostProcesses }
    const isSandboxed = isolation === "bubblewrap"
    const notice = [...(isSandboxed ? [] : [withoutIsolation]), sayLimits(limits, isSandboxed)].join("\n")
    mkdirSync(dirname(log), { recursive: true })
    appendFileSync(log, `${notice}\n`)
    const variables = { ...common, DORMOUSE_NOTICE: notice, ...environment }
    const net = isIsolated ? { doors } : {}
    const launch: Launch = { taskId, command, environment: variables, folder, taskImage, data, limits, log, ...net }
    return { running: isSandboxed ? startSandboxed(launch) : startPlain(launch), limits, stopTimeoutSeconds }
  }

  #end(region: string, id: string, essential: string, end: Parameters<typeof stopped>[2]) {
    this.#live.get(id)?.cancelKill?.()
    this.#live.delete(id)
    if (this.#closed) return
    const row = this.#store.task(region, id)
    if (row) this.#save(region, stopped(row.task, essential, end, millis()))
    this.#remove(id)
  }

  #save(region: string, task: Task) {
    this.#store.save(region, task, stateChange(task, now()))
    this.#announce()
  }

  /** What could not be put stays, and goes with the next. */
  #announce() {
    try {
      this.#store.takeEvents(this.#options.putEvent)
    } catch (error) {
      this.#options.log(`Could not put an event of a task: ${String(error)}`)
    }
  }

  #remove(id: string) {
    const removal = removeFolder(join(this.#options.data, "tasks", id))
      .catch((error) => this.#options.log(`Could not remove the folder of task ${id}: ${String(error)}`))
      .finally(() => this.#removals.delete(removal))
    this.#removals.add(removal)
  }

  /** After a start nothing of an earlier life runs: what is recorded as running is ended, and told of. */
  #recover() {
    for (const row of this.#store.unfinished()) {
      killLeftovers(row)
      const { region, task } = row
      const definition = this.#definition(region, task)
      this.#save(region, stopped(task, definition ? essentialOf(definition).name : "", lost, millis()))
      this.#options.log(`Task ${idOf(task)} was running when the machine stopped, and counts as stopped`)
    }
    this.#announce()
    const folder = join(this.#options.data, "tasks")
    for (const id of existsSync(folder) ? readdirSync(folder) : []) this.#remove(id)
  }

  #definition(region: string, { taskDefinitionArn }: Task): TaskDefinition | undefined {
    const [, family = "", revision] = /task-definition\/(.+):(\d+)$/.exec(taskDefinitionArn) ?? []
    return this.#store.definition(region, family, Number(revision))
  }
}

/** Kills what is left of a task from before a crash, and never a process that only has its number. */
const killLeftovers = ({ task, pid, identity }: TaskRow) => {
  if (pid === undefined || !identity) return
  if (identityOf(pid) === identity) return signal(-pid, "SIGKILL")
  const [[name, value] = ["", ""]] = Object.entries(marker(idOf(task)))
  for (const orphan of orphansOf(pid, `${name}=${value}`)) signal(orphan, "SIGKILL")
}
