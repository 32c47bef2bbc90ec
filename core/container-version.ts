import * as z from "zod"
import { now } from "./clock.ts"
import { ContainerOfVersionEntity, ContainerVersionEntity, type ContainerVersionRow } from "./container.entity.ts"
import { newId } from "./id.ts"
import * as Page from "./page.ts"
import { Problem } from "./problem.ts"
import * as Standard from "./standard.ts"
import { ContainerImage } from "./version.ts"

/** What image and daemon expect of each other. So far any Linux with glibc will do, with nothing of ours inside. */
const contractVersions = ["1"] as const

export const View = z
  .object({
    id: z.string(),
    number: z.int().describe("1 for the first version of the container."),
    containerPreset: z.string().nullable().describe("null where an image was given."),
    containerImage: z
      .string()
      .nullable()
      .describe("The image; of a preset, the one that it stood for when the version was made."),
    containerContractVersion: z.string().nullable(),
    createdAt: z.iso.datetime(),
  })
  .meta({ id: "ContainerVersion" })

export const Listed = Page.of(View).meta({ id: "ContainerVersionPage" })

/** The fields of a body that make a version. */
export const fields = {
  containerPreset: z.enum(Object.keys(Standard.presets)).optional().describe("Instead of an image: one of the stack's choice."),
  containerImage: ContainerImage.optional(),
  containerContractVersion: z.enum(contractVersions).optional().describe("What the image offers to the daemon."),
}

type Fields = z.output<z.ZodObject<typeof fields>>

export const isUnambiguous = ({ containerPreset, containerImage }: Fields) =>
  containerPreset === undefined || containerImage === undefined

export const ambiguous = { path: ["containerImage"], message: "Give either a preset or an image" }

type Image = Pick<ContainerVersionRow, "preset" | "image" | "contractVersion">

/** What a body makes of the version before, or of nothing. A preset is looked up now and never again. */
export function imageOf({ containerPreset, containerImage, containerContractVersion }: Fields, before?: Image): Image {
  const contractVersion = containerContractVersion ?? before?.contractVersion ?? contractVersions[0]
  if (containerImage !== undefined) return { image: containerImage, contractVersion }
  if (containerPreset === undefined && before) return { ...before, contractVersion }
  const preset = containerPreset ?? Standard.defaultPreset
  return { preset, image: Standard.presets[preset]!, contractVersion }
}

/** A new version and the writes that make it. */
export function make(accountId: string, containerId: string, number: number, { preset, image, contractVersion }: Image) {
  const versionId = newId("containerVersion")
  const createdAt = now().toISOString()
  const row = { accountId, containerId, versionId, number, ...(preset ? { preset } : {}), image, contractVersion, createdAt }
  const writes = {
    version: ContainerVersionEntity.create(row),
    containerOfVersion: ContainerOfVersionEntity.create({ accountId, versionId, containerId }),
  }
  return { row, writes }
}

/** Newest first. */
export async function list(accountId: string, containerId: string, request: Page.Request) {
  const own = async (after: string | undefined, limit: number) => {
    const versions = ContainerVersionEntity.query.byContainer({ accountId, containerId })
    const { data } = await (after ? versions.lt({ versionId: after }) : versions).go({ limit, order: "desc" })
    return data
  }
  const standard = Standard.containerVersionsOf(accountId).filter((version) => version.containerId === containerId)
  const idOf = ({ versionId }: ContainerVersionRow) => versionId
  const page = await Page.paginate(accountId, `versions ${containerId}`, request, Standard.after(own, standard, idOf), idOf)
  return { data: page.data.map(view), pageInfo: page.pageInfo }
}

/** Raises `container_version_not_found`. */
export async function row(accountId: string, containerId: string, versionId: string): Promise<ContainerVersionRow> {
  const standard = Standard.containerVersionsOf(accountId).find((version) => version.versionId === versionId)
  const found =
    standard ?? (await ContainerVersionEntity.get({ accountId, containerId, versionId }).go({ consistent: true })).data
  if (found?.containerId !== containerId) throw new Problem("container_version_not_found")
  return found
}

/** The container that a version belongs to. */
export async function containerOf(accountId: string, versionId: string): Promise<string | undefined> {
  const standard = Standard.containerVersionsOf(accountId).find((version) => version.versionId === versionId)
  if (standard) return standard.containerId
  const { data } = await ContainerOfVersionEntity.get({ accountId, versionId }).go({ consistent: true })
  return data?.containerId
}

/** Row to wire, field by field: a new column stays private until someone adds it here. */
export const view = (row: ContainerVersionRow): z.infer<typeof View> => ({
  id: row.versionId,
  number: row.number,
  containerPreset: row.preset ?? null,
  containerImage: row.image,
  containerContractVersion: row.contractVersion,
  createdAt: row.createdAt,
})
