import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DescribeTaskDefinitionCommand, DescribeTasksCommand } from "@aws-sdk/client-ecs"
import { afterAll, beforeAll, expect, test } from "vitest"
import { build } from "../build/bundle.ts"
import { commandOf, perform, stagesOf } from "../task-image/test/dockerfile.ts"
import { newAccount } from "./app.ts"
import { ecsOf } from "./aws.ts"
import { type Container, newContainer } from "./container.ts"
import { debootstrap, nameHosts, runContainer, type Suite, ubuntuMirror } from "./debootstrap.ts"
import { startModelServer } from "./model-server.ts"
import { type OwnStack, ownStack } from "./stack.ts"
import { untilEnded } from "./until.ts"

// `npm run test:images`: a task in images that have nothing of ours inside, without Docker. The steps of our Dockerfile are performed in a
// Debian of debootstrap; what its container then copies to the shared volume is run in the user's image, by the command of the task
// definition, with the rights that Fargate gives. Takes root, debootstrap and bubblewrap.

const project = join(import.meta.dirname, "..")
const folder = mkdtempSync(join(tmpdir(), "dormouse-images-"))
const place = (...names: string[]) => join(folder, ...names)
/** What `/opt/dormouse` holds. */
const volume = place("volume")

const look = "{ cat /etc/os-release; id -u; ls -ld /workspace; } > output/place.txt; cat /opt/dormouse/main.mjs | head -c 9"
let app: OwnStack
let account: Awaited<ReturnType<typeof newAccount>>
const model = await startModelServer(({ body }) =>
  JSON.stringify(body.messages).includes("tool_result")
    ? { blocks: [{ text: "It runs." }] }
    : { blocks: [{ tool: "bash", args: { command: look } }] },
)

beforeAll(async () => {
  const { folder: dist } = await build(project)
  await debootstrap("bookworm", place("bookworm"))
  await makeTaskImage(dist)
  app = await ownStack({ ANTHROPIC_BASE_URL: model.url }, undefined, { idle: true })
  account = await newAccount(app)
}, 600_000)

afterAll(async () => {
  await app?.stop()
  await model.close()
  rmSync(folder, { recursive: true, force: true })
})

/** Builds our image from the Dockerfile, and runs it once, as the first container of a task. */
const makeTaskImage = async (dist: string) => {
  const [made, last] = stagesOf(readFileSync(join(project, "task-image/Dockerfile"), "utf8"))
  const [base, image] = [place("made"), place("image")]
  cpSync(place("bookworm"), base, { recursive: true, verbatimSymlinks: true })
  cpSync(process.execPath, join(base, "usr/local/bin/node"))
  nameHosts(base)
  perform(made!, base, { context: join(dist, "..") })
  mkdirSync(image)
  chmodSync(image, 0o755)
  perform(last!, image, { [made!.name!]: base })
  mkdirSync(join(image, "opt/dormouse"), { recursive: true })
  const { code, said } = await runContainer({ root: image, volumes: {}, environment: {}, command: commandOf(last!) })
  expect(code, said).toBe(0)
  renameSync(join(image, "opt/dormouse"), volume)
}

/** What the task definition of a container has the user's image run, in place of its own entry point. */
const commandIn = async ({ arn }: Container) => {
  const [, , , region = "", , path] = arn.split(":")
  const ecs = ecsOf(app, region)
  const { tasks } = await ecs.send(new DescribeTasksCommand({ cluster: path!.split("/")[1]!, tasks: [arn] }))
  const { taskDefinition } = await ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition: tasks![0]!.taskDefinitionArn }))
  const { entryPoint, command } = taskDefinition!.containerDefinitions!.find(({ name }) => name === "agent")!
  return [...entryPoint!, ...command!]
}

/** Runs a task in an image, in place of the idle process that stands for its container. */
const runTask = async (root: string) => {
  nameHosts(root)
  const container = await newContainer(app, account)
  const { environment } = container
  const ran = await runContainer({ root, volumes: { "/opt/dormouse": volume }, environment, command: await commandIn(container) })
  return { ...ran, id: container.task.id }
}

const works = async (suite: Suite, name: string) => {
  const { code, said, id } = await runTask(place(suite))
  expect(code, said).toBe(0)
  expect(await untilEnded(account, id)).toMatchObject({ status: "finished", result: "It runs." })
  const { body } = await account.send(`GET /tasks/${id}/files`)
  const seen = await account.send(`GET /tasks/${id}/files/${body.data[0].id}`)
  expect(seen.body).toMatch(new RegExp(`VERSION_CODENAME=${name}[^]*\n65534\ndrwx[^]*nobody nogroup`))
  const { body: log } = await account.send(`GET /tasks/${id}/logs`)
  expect(log.data.map(({ message }: { message: string }) => message)).toContain(
    "What the container's image does not have: git, ssh, curl, CA certificates",
  )
}

test("debian:12, as it is, runs a task", () => works("bookworm", "bookworm"))

if (ubuntuMirror)
  test("ubuntu:22.04, as it is, runs a task", async () => {
    await debootstrap("jammy", place("jammy"))
    await works("jammy", "jammy")
  }, 600_000)

test("an image without libstdc++ is refused before the agent starts", async () => {
  const root = place("bookworm")
  rmSync(join(root, "usr/lib", process.arch === "x64" ? "x86_64-linux-gnu" : "aarch64-linux-gnu", "libstdc++.so.6"))
  const { code, said } = await runTask(root)
  expect(code).toBe(81)
  expect(said).toContain("This image cannot run Node: ")
  expect(said).toContain("libstdc++.so.6")
})
