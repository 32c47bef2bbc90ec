import type { AsyncLocalStorage } from "node:async_hooks"
import { createRequire } from "node:module"
import * as pulumi from "@pulumi/pulumi"
import { answer } from "./evaluate/data-sources.ts"
import { outputsOf } from "./evaluate/outputs.ts"
import { plain, settled } from "./evaluate/plain.ts"
import { record } from "./evaluate/record.ts"
import type { Graph, Resource } from "./graph.ts"

/** What a stack is evaluated as. */
export interface Stack {
  name: string
  region: string
  account: string
  /** The stack's configuration, by full key: `dormouse:tenant`. */
  config?: Record<string, string>
}

let last: Promise<unknown> = Promise.resolve()

/**
 * Runs a Pulumi program in this process, without its command line, a plugin or an account, and returns what it would make.
 * Fails when the program fails, also where Pulumi itself would only leave a resource out.
 *
 * One evaluation at a time: Pulumi keeps its engine and the stack in state of the whole process.
 */
export function evaluate(program: () => unknown, stack: Stack): Promise<Graph> {
  const run = last.then(() => isolated(() => quick(() => evaluateOne(program, stack))))
  last = run.catch(() => undefined)
  return run
}

const load = createRequire(import.meta.url)

/** Pulumi's own state, fresh for every evaluation, so that one that failed leaves nothing to the next. */
function isolated<T>(run: () => Promise<T>): Promise<T> {
  const { LocalStore } = load("@pulumi/pulumi/runtime/state.js") as { LocalStore: new () => object }
  const { asyncLocalStorage } = globalThis as unknown as { asyncLocalStorage: AsyncLocalStorage<object> }
  return asyncLocalStorage.run(new LocalStore(), run)
}

/** Pulumi takes a stack trace for every promise, which is most of the time of an evaluation. */
async function quick<T>(run: () => Promise<T>): Promise<T> {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    return await run()
  } finally {
    Error.stackTraceLimit = limit
  }
}

async function evaluateOne(program: () => unknown, stack: Stack): Promise<Graph> {
  const failures: unknown[] = []
  await startEngine(stack, failures)
  const resources = record(stack.region)
  const constructed: string[] = []
  const stopListening = collectRejections(failures)
  try {
    const outputs = await pulumi.runtime.runInPulumiStack(async () => {
      pulumi.runtime.registerStackTransformation(({ type, name }) => {
        constructed.push(`${type} ${name}`)
        return undefined
      })
      return await program()
    })
    await pulumi.runtime.disconnect()
    await nextTurn()
    const registered = new Set([...resources.values()].map(({ type, name }) => `${type} ${name}`))
    complain(
      failures,
      constructed.filter((resource) => !registered.has(resource)),
    )
    return {
      region: stack.region,
      account: stack.account,
      resources: [...resources.values()].sort(byUrn),
      outputs: plain(await settled(outputs)) as Graph["outputs"],
    }
  } catch (error) {
    // What is still under way belongs to this failure, and must not surface in the next evaluation.
    await pulumi.runtime.disconnect().catch((late: unknown) => failures.push(late))
    throw error
  } finally {
    await nextTurn()
    stopListening()
  }
}

/** Resources are registered in the order in which their inputs become known, which is nobody's intention. */
const byUrn = (a: Resource, b: Resource) => (a.urn < b.urn ? -1 : 1)

/** Stands in for Pulumi's engine: answers every resource with the outputs that AWS would give it. */
async function startEngine(stack: Stack, failures: unknown[]) {
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs, custom }) =>
        custom === false
          ? { id: "", state: {} }
          : outputsOf({ type, name, inputs, account: stack.account, region: inputs.region ?? stack.region }),
      call: ({ token, inputs }) => {
        try {
          return answer(token, inputs, stack)
        } catch (error) {
          failures.push(error)
          throw error
        }
      },
    },
    "dormouse",
    stack.name,
    false,
  )
  pulumi.runtime.setAllConfig({ "aws:region": stack.region, ...stack.config })
}

/**
 * An error inside an `apply` rejects nothing that anybody holds: the resource is never registered, and the error only surfaces
 * as an unhandled rejection. These are collected here, and what was constructed is compared with what was registered.
 */
function collectRejections(failures: unknown[]) {
  const others = process.listeners("unhandledRejection")
  const collect = (error: unknown) => void failures.push(error)
  process.removeAllListeners("unhandledRejection")
  process.on("unhandledRejection", collect)
  return () => {
    process.removeListener("unhandledRejection", collect)
    for (const listener of others) process.on("unhandledRejection", listener)
  }
}

function complain(failures: unknown[], lost: string[]) {
  if (!failures.length && !lost.length) return
  const [first] = failures
  const cause = first instanceof Error ? first.message : String(first ?? "unknown")
  throw new Error(`The program failed: ${cause}${lost.length ? `. Never made: ${lost.join(", ")}` : ""}`, { cause: first })
}

/** Rejections surface once the promises of this turn have been settled. */
const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve))
