import * as z from "zod"
import { now } from "./clock.ts"
import { ContainerEntity, type ContainerRow, type ContainerVersionRow } from "./container.entity.ts"
import * as ContainerVersion from "./container-version.ts"
import { newId } from "./id.ts"
import { limits } from "./limits.ts"
import * as Page from "./page.ts"
import { invalid, Problem } from "./problem.ts"
import * as Standard from "./standard.ts"
import { transact, untilWritten } from "./transaction.ts"

/** The environments that agents can run in, by the names that customers give them. What starts one is `fargate.ts`. */

export const View = z
  .object({
    id: z.string(),
    name: z.string(),
    description: z.string().nullable(),
    isStandard: z.boolean().describe("Provided by the stack; fork it to change it."),
    archivedAt: z.iso.datetime().nullable(),
    currentVersion: ContainerVersion.View,
    createdAt: z.iso.datetime(),
  })
  .meta({ id: "Container", description: "An environment that agents can run in: a name and numbered versions of its image." })

type View = z.infer<typeof View>

export const Listed = Page.of(View).meta({ id: "ContainerPage" })

const name = z.string().trim().min(1).max(limits.name)
const description = z.string().max(limits.description).optional()

export const Create = z
  .strictObject({ name, description, ...ContainerVersion.fields })
  .refine(ContainerVersion.isUnambiguous, ContainerVersion.ambiguous)
  .meta({
    id: "CreateContainer",
    description: `With neither a preset nor an image it is the preset \`${Standard.defaultPreset}\`.`,
    example: { name: "Rust tools", containerImage: "docker.io/library/rust:1-bookworm" },
  })

export const Update = z
  .strictObject({ name: name.optional(), description, ...ContainerVersion.fields })
  .refine(ContainerVersion.isUnambiguous, ContainerVersion.ambiguous)
  .meta({ id: "UpdateContainer", example: { name: "Rust and friends" } })

/** Makes a container with its first version. */
export const create = (accountId: string, body: z.output<typeof Create>): Promise<View> =>
  insert(accountId, body, ContainerVersion.imageOf(body))

/** Makes a container of one's own out of a standard one. Raises `container_not_found`, `not_standard`. */
export async function fork(accountId: string, containerId: string, body: Standard.Fork): Promise<View> {
  const original = await readable(accountId, containerId)
  if (!Standard.isStandard(containerId)) throw new Problem("not_standard")
  return insert(accountId, { ...original, ...body }, await ContainerVersion.row(accountId, containerId, original.versionId))
}

/** Raises `container_not_found`. */
export async function get(accountId: string, containerId: string): Promise<View> {
  return view(await readable(accountId, containerId))
}

/** Containers that are not archived: one's own, newest first, and then the standard ones. */
export async function list(accountId: string, request: Page.Request) {
  const own = async (after: string | undefined, count: number) => {
    const containers = ContainerEntity.query.byId({ accountId })
    const { data } = await (after ? containers.lt({ containerId: after }) : containers.begins({ containerId: "" }))
      .where(({ archivedAt }, { notExists }) => notExists(archivedAt))
      .go({ count, order: "desc" })
    return data
  }
  const idOf = ({ containerId }: ContainerRow) => containerId
  const fetch = Standard.after(own, Standard.containersOf(accountId), idOf)
  const page = await Page.paginate(accountId, "containers", request, fetch, idOf)
  return { data: await Promise.all(page.data.map((container) => view(container))), pageInfo: page.pageInfo }
}

/** Changes name and description in place; another image makes a new version. Raises `container_not_found`, `conflict`. */
export async function update(accountId: string, containerId: string, body: z.output<typeof Update>): Promise<View> {
  return untilWritten(async () => {
    const container = await row(accountId, containerId)
    const before = await ContainerVersion.row(accountId, containerId, container.versionId)
    const isOther = Object.keys(ContainerVersion.fields).some((field) => body[field as keyof typeof body] !== undefined)
    const next = isOther
      ? ContainerVersion.make(accountId, containerId, container.number + 1, ContainerVersion.imageOf(body, before))
      : undefined
    const set = {
      ...(body.name === undefined ? {} : { name: body.name }),
      ...(body.description === undefined ? {} : { description: body.description }),
      ...(next ? { versionId: next.row.versionId, number: next.row.number } : {}),
      revision: container.revision + 1,
    }
    const refused = await transact({
      container: ContainerEntity.patch({ accountId, containerId })
        .set(set)
        .where(({ revision }, { eq }) => eq(revision, container.revision)),
      ...next?.writes,
    })
    return refused.length ? undefined : view({ ...container, ...set }, next?.row ?? before)
  })
}

/** Takes the container out of the list, and new agents cannot have it; those that do keep it. Twice is once. */
export async function archive(accountId: string, containerId: string): Promise<void> {
  const { archivedAt } = await row(accountId, containerId)
  if (archivedAt) return
  await ContainerEntity.patch({ accountId, containerId }).set({ archivedAt: now().toISOString() }).add({ revision: 1 }).go()
}

/** Versions of a container, newest first. Raises `container_not_found`. */
export async function versions(accountId: string, containerId: string, request: Page.Request) {
  await readable(accountId, containerId)
  return ContainerVersion.list(accountId, containerId, request)
}

/** Raises `container_not_found`, `container_version_not_found`. */
export async function version(accountId: string, containerId: string, versionId: string) {
  await readable(accountId, containerId)
  return ContainerVersion.view(await ContainerVersion.row(accountId, containerId, versionId))
}

interface Named {
  containerId?: string | undefined
  containerVersionId?: string | undefined
}

/** The version that an agent names, or the current one of the container that it names. Raises `invalid_request`. */
export async function named(accountId: string, { containerId, containerVersionId }: Named): Promise<ContainerVersionRow> {
  const id = containerId ?? (await ContainerVersion.containerOf(accountId, containerVersionId!))
  if (id === undefined) throw invalid("containerVersionId", `There is no container version ${containerVersionId}`)
  const container = await find(accountId, id)
  if (!container) throw invalid("containerId", `There is no container ${id}`)
  if (container.archivedAt) throw invalid("containerId", `The container ${id} is archived`)
  return ContainerVersion.row(accountId, id, containerVersionId ?? container.versionId).catch((error: unknown) => {
    if (!(error instanceof Problem)) throw error
    throw invalid("containerVersionId", `The container ${id} has no version ${containerVersionId}`)
  })
}

async function find(accountId: string, containerId: string): Promise<ContainerRow | undefined> {
  const standard = Standard.containersOf(accountId).find((container) => container.containerId === containerId)
  if (standard) return standard
  const { data } = await ContainerEntity.get({ accountId, containerId }).go({ consistent: true })
  return data ?? undefined
}

/** One's own or a standard one. */
async function readable(accountId: string, containerId: string): Promise<ContainerRow> {
  const container = await find(accountId, containerId)
  if (!container) throw new Problem("container_not_found")
  return container
}

/** One's own: what is standard cannot be changed, as little as what belongs to somebody else. */
async function row(accountId: string, containerId: string): Promise<ContainerRow> {
  if (Standard.isStandard(containerId)) throw new Problem("container_not_found")
  return readable(accountId, containerId)
}

/** Makes a container with the first version of an image. */
async function insert(
  accountId: string,
  { name, description }: { name: string; description?: string | undefined },
  image: ReturnType<typeof ContainerVersion.imageOf>,
) {
  const containerId = newId("container")
  const { row: version, writes } = ContainerVersion.make(accountId, containerId, 1, image)
  const container = {
    accountId,
    containerId,
    name,
    ...(description === undefined ? {} : { description }),
    versionId: version.versionId,
    number: 1,
    revision: 1,
    createdAt: version.createdAt,
  }
  const refused = await transact({ container: ContainerEntity.create(container), ...writes })
  if (refused.length) throw new Problem("conflict")
  return view(container, version)
}

const view = async (row: ContainerRow, version?: ContainerVersionRow): Promise<View> => ({
  id: row.containerId,
  name: row.name,
  description: row.description ?? null,
  isStandard: Standard.isStandard(row.containerId),
  archivedAt: row.archivedAt ?? null,
  currentVersion: ContainerVersion.view(version ?? (await ContainerVersion.row(row.accountId, row.containerId, row.versionId))),
  createdAt: row.createdAt,
})
