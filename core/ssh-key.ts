import * as z from "zod"
import { now } from "./clock.ts"
import { newId } from "./id.ts"
import { limits } from "./limits.ts"
import { keyPairOf } from "./openssh.ts"
import * as Page from "./page.ts"
import { invalid, Problem } from "./problem.ts"
import { RepositoryEntity } from "./repository.entity.ts"
import * as Request from "./request.ts"
import { SecretEntity } from "./secret.entity.ts"
import * as Secret from "./secret.ts"
import { SshKeyEntity, SshKeyLinkEntity, type SshKeyRow } from "./ssh-key.entity.ts"
import { transact } from "./transaction.ts"

export const View = z
  .object({
    id: z.string(),
    name: z.string(),
    description: z.string().nullable(),
    algorithm: z.literal("ed25519"),
    publicKey: z.string().describe("In OpenSSH's format: give it to the host of the repository, as a deploy key for instance."),
    createdAt: z.iso.datetime(),
  })
  .meta({
    id: "SshKey",
    description: "A pair of keys made here. The private half is kept encrypted and never shown; containers use it to clone.",
  })

export type View = z.infer<typeof View>

export const Listed = Page.of(View).meta({ id: "SshKeyPage" })

const name = z.string().trim().min(1).max(limits.name)
const description = z.string().max(limits.description)

export const Create = z
  .strictObject({ name, description: description.optional() })
  .meta({ id: "CreateSshKey", example: { name: "Deploy key of the website" } })

export const Update = z
  .strictObject({ name, description })
  .partial()
  .meta({ id: "UpdateSshKey", example: { description: "Reads only." } })

/** Makes a pair of keys. */
export async function create(accountId: string, body: z.output<typeof Create>): Promise<View> {
  const sshKeyId = newId("sshKey")
  // The id tells the key apart in a host's list; a name may change.
  const { publicKey, privateKey } = keyPairOf(Request.randomBytes(32, "ssh key"), sshKeyId)
  const secret = await Secret.seal(accountId, "ssh-key", privateKey)
  const key = {
    accountId,
    sshKeyId,
    name: body.name,
    ...(body.description === undefined ? {} : { description: body.description }),
    publicKey,
    secretId: secret.secretId,
    revision: 1,
    createdAt: now().toISOString(),
  }
  const refused = await transact({ key: SshKeyEntity.create(key), secret: SecretEntity.create(secret) })
  if (refused.length) throw new Problem("conflict")
  return view(key)
}

/** Raises `ssh_key_not_found`. */
export async function get(accountId: string, sshKeyId: string): Promise<View> {
  return view(await row(accountId, sshKeyId))
}

/** Newest first. */
export async function list(accountId: string, request: Page.Request) {
  const page = await Page.paginate(
    accountId,
    "ssh-keys",
    request,
    async (after, limit) => {
      const keys = SshKeyEntity.query.byId({ accountId })
      const { data } = await (after ? keys.lt({ sshKeyId: after }) : keys.begins({ sshKeyId: "" })).go({ limit, order: "desc" })
      return data
    },
    ({ sshKeyId }) => sshKeyId,
  )
  return { data: page.data.map(view), pageInfo: page.pageInfo }
}

/** Changes name and description; the key itself stays what it is. Raises `ssh_key_not_found`. */
export async function update(accountId: string, sshKeyId: string, body: z.output<typeof Update>): Promise<View> {
  const key = await row(accountId, sshKeyId)
  const set = {
    ...(body.name === undefined ? {} : { name: body.name }),
    ...(body.description === undefined ? {} : { description: body.description }),
  }
  if (Object.keys(set).length === 0) return view(key)
  const refused = await transact({ key: SshKeyEntity.patch({ accountId, sshKeyId }).set(set) })
  if (refused.length) throw new Problem("ssh_key_not_found")
  return view({ ...key, ...set })
}

/** Links in one transaction: two writes each, of the hundred that it takes. */
const linksAtOnce = 40

/** Deletes a key with its private half, and first whatever links it to repositories. Raises `ssh_key_not_found`, `conflict`. */
export async function remove(accountId: string, sshKeyId: string): Promise<void> {
  const key = await row(accountId, sshKeyId)
  const { data: links } = await SshKeyLinkEntity.query.byKey({ accountId, sshKeyId }).go({ pages: "all", consistent: true })
  for (let i = 0; i < links.length; i += linksAtOnce) {
    const writes = links.slice(i, i + linksAtOnce).flatMap((link) => Object.entries(unlink(link)))
    if ((await transact(Object.fromEntries(writes))).length) throw new Problem("conflict")
  }
  const refused = await transact({
    key: SshKeyEntity.delete({ accountId, sshKeyId }).where(({ revision }, { eq }) => eq(revision, key.revision)),
    secret: SecretEntity.delete({ accountId, secretId: key.secretId }),
  })
  if (refused.length) throw new Problem("conflict")
}

interface Link {
  accountId: string
  sshKeyId: string
  repositoryId: string
}

/** The writes that take a key from a repository. */
export const unlink = ({ accountId, sshKeyId, repositoryId }: Link) => ({
  [`repository ${repositoryId}`]: RepositoryEntity.patch({ accountId, repositoryId })
    .add({ revision: 1 })
    .delete({ sshKeyIds: [sshKeyId] }),
  [`link ${repositoryId}`]: SshKeyLinkEntity.delete({ accountId, sshKeyId, repositoryId }),
})

export async function row(accountId: string, sshKeyId: string): Promise<SshKeyRow> {
  const { data } = await SshKeyEntity.get({ accountId, sshKeyId }).go({ consistent: true })
  if (!data) throw new Problem("ssh_key_not_found")
  return data
}

/** The keys of these ids that there are. */
export async function rows(accountId: string, ids: Iterable<string>): Promise<Map<string, SshKeyRow>> {
  const keys = [...new Set(ids)].map((sshKeyId) => ({ accountId, sshKeyId }))
  if (keys.length === 0) return new Map()
  const { data } = await SshKeyEntity.get(keys).go({ consistent: true })
  return new Map(data.map((key) => [key.sshKeyId, key]))
}

/** Refuses, as what stands at `path(index)` of the body, a key that the account does not have. */
export async function mustExist(accountId: string, ids: readonly (string | undefined)[], path: (index: number) => string) {
  const found = await rows(
    accountId,
    ids.filter((id) => id !== undefined),
  )
  const index = ids.findIndex((id) => id !== undefined && !found.has(id))
  if (index >= 0) throw invalid(path(index), `There is no SSH key ${ids[index]}`)
}

/** Row to wire, field by field: a new column stays private until someone adds it here. */
export const view = (key: SshKeyRow): View => ({
  id: key.sshKeyId,
  name: key.name,
  description: key.description ?? null,
  algorithm: "ed25519",
  publicKey: key.publicKey,
  createdAt: key.createdAt,
})
