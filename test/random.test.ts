import { randomInt } from "node:crypto"
import { beforeAll, expect, test } from "vitest"
import { newAccount, shared } from "./app.ts"
import { claimedContainer, storeOutput } from "./container.ts"
import { newAgent, newFile, newRepository, newSshKey, newUpload } from "./make.ts"
import { wrongWith } from "./random/answers.ts"
import { type Call, callsOf, requestOf } from "./random/calls.ts"
import { operations } from "./random/document.ts"
import { Known } from "./random/known.ts"

// Requests that nobody has thought of: made from the document, as it says and otherwise, about things that there are.

const count = Number(process.env.DORMOUSE_RANDOM_REQUESTS ?? 5_000)
const seed = Number(process.env.DORMOUSE_RANDOM_SEED ?? randomInt(2 ** 31))
const atOnce = 4

const app = shared()
let account: Awaited<ReturnType<typeof newAccount>>
let known: Known

beforeAll(async () => {
  // Credit for some tasks at a time: each starts a process.
  account = await newAccount(app, { creditUsd: 8 })
  const { body } = await account.send("GET /api-keys")
  known = new Known(body.data[0].id)
  await makeThings()
  for (const { name } of operations.filter((each) => /^GET [^{]+$/.test(each.name)))
    known.learn(name, (await account.send(name)).body)
})

/** What there is to ask for: of each kind some, and tasks in every state that a container leaves them in. */
async function makeThings() {
  await claimedContainer(app, account, { conversation: {} })
  const waiting = await claimedContainer(app, account, { conversation: {} })
  await waiting.send("turns/complete", { turn_number: 1 })
  const until = new Date(Date.now() + 3_600_000).toISOString()
  for (let i = 0; i < 3; i++) {
    const sleeping = await claimedContainer(app, account)
    await sleeping.send("release", { to: "hibernate", until, reason: "Nothing to do." })
    const ended = await claimedContainer(app, account)
    const fileId = await storeOutput(ended, "report.md", Buffer.from("x"))
    await ended.send("complete", { result: "Done." })
    known.learn("", { id: ended.task.id, fileId })
  }
  for (let i = 0; i < 5; i++) await makeAgent()
}

/** An agent with everything that can be attached to it, and what stands by itself. */
async function makeAgent() {
  const { id: agentId } = await newAgent(account)
  const { id: fileId } = await newFile(account)
  const { id: repositoryId } = await newRepository(account)
  const { id: sshKeyId } = await newSshKey(account)
  await account.send(`POST /ssh-keys/${sshKeyId}/repositories`, { repositoryId })
  await account.send(`POST /agents/${agentId}/reference-files`, { fileIds: [fileId] })
  const mounts = ["website", "vendor/library"].map((mountingPoint) => ({ repositoryId, tag: "main", mountingPoint }))
  await account.send(`POST /agents/${agentId}/repositories`, { repositories: mounts })
  known.learn("", { agentId, fileId })
  known.learn("", { agentId, repositoryId })
  known.learn("", { sshKeyId, repositoryId })
  known.learn("", { id: await newUpload(account) })
  await account.send("POST /api-keys", { name: "Another" })
  await account.send("POST /containers", { name: "Tools", containerImage: "debian:12" })
  const { body } = await account.send("POST /webhooks", { url: "https://hooks.example.com/", eventTypes: ["task.woken"] })
  await account.send(`POST /webhooks/${body.webhook.id}/test`)
}

interface Tally {
  done: number
  refused: number
  wrong: string[]
}

/** Sends the calls, several at once, and tells by operation what became of them. */
async function send(calls: Call[]) {
  const tallies = new Map(operations.map(({ name }): [string, Tally] => [name, { done: 0, refused: 0, wrong: [] }]))
  const queue = calls.values()
  const sender = async () => {
    for (const call of queue) {
      const { name, body, headers } = requestOf(call, known)
      const answer = await account.send(name, body, headers)
      const tally = tallies.get(call.operation.name)!
      tally[answer.status < 400 ? "done" : "refused"] += 1
      const wrong = wrongWith(call.operation, answer)
      if (wrong) tally.wrong.push(`${name} ${body?.slice(0, 500) ?? ""} ${wrong}`)
      else known.learn(`${name} ${body ?? ""}`, answer.body)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, sender))
  return tallies
}

const shown = (tallies: Map<string, Tally>) =>
  [...tallies]
    .map(([name, { done, refused }]) => `${String(done).padStart(6)} ${String(refused).padStart(7)}  ${name}`)
    .join("\n")

test(
  `${count} requests (seed ${seed}): none is answered with a fault, or otherwise than the document says`,
  async () => {
    const tallies = await send(callsOf(count, seed))
    console.log(`DORMOUSE_RANDOM_SEED=${seed} DORMOUSE_RANDOM_REQUESTS=${count}\n  done refused\n${shown(tallies)}`)
    expect([...tallies.values()].flatMap(({ wrong }) => wrong)).toEqual([])
    // Refusals alone would show little.
    expect([...tallies.values()].filter(({ done }) => done > 0).length).toBeGreaterThan(0.9 * operations.length)
  },
  Math.max(120_000, count * 60),
)
