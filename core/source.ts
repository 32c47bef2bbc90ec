import type { z } from "zod"
import * as Attachment from "./attachment.ts"
import { mountFolder, type Sources } from "./git.ts"
import * as Repository from "./repository.ts"
import * as Run from "./run.ts"
import * as Secret from "./secret.ts"
import type { SshKeyRow } from "./ssh-key.entity.ts"
import * as SshKey from "./ssh-key.ts"
import * as Task from "./task.ts"

/** What the container of a run clones and installs. */

/**
 * The repositories and skills of a run with the keys that open them now, whichever that were when the task was dispatched. Raises
 * `run_not_found`, `lease_lost`.
 */
export async function open(ref: Run.Ref): Promise<z.infer<typeof Sources>> {
  await Run.claimed(ref)
  const { accountId, taskId } = ref
  const spec = await Task.spec(accountId, taskId)
  const clones = [...spec.repositories, ...(await Attachment.ofTask(accountId, taskId))]
  const skills = [...spec.versionSkills, ...spec.skills]
  const repositories = await Repository.rows(
    accountId,
    clones.map(({ repositoryId }) => repositoryId),
  )
  const keyIdsOf = ({ repositoryId }: { repositoryId: string }) => repositories.get(repositoryId)?.sshKeyIds ?? []
  const privateKeys = await privateKeysOf(accountId, [
    ...clones.flatMap(keyIdsOf),
    ...skills.flatMap(({ sshKeyId }) => sshKeyId ?? []),
  ])
  return {
    repositories: clones.map((clone) => ({
      name: clone.name,
      url: clone.url,
      tag: clone.tag,
      folder: mountFolder(clone.mountingPoint)!,
      setup_script: clone.setupScript ?? null,
      aliases: clone.aliases,
      private_keys: keyIdsOf(clone).flatMap((id) => privateKeys.get(id) ?? []),
    })),
    skills: skills.map(({ skill, sshKeyId }) => ({
      skill,
      ssh_key_id: sshKeyId ?? null,
      private_key: (sshKeyId && privateKeys.get(sshKeyId)) || null,
    })),
  }
}

/** By the ids of their keys, those that there are. */
async function privateKeysOf(accountId: string, ids: string[]): Promise<Map<string, string>> {
  const keys = [...(await SshKey.rows(accountId, ids)).values()]
  const opened = await Promise.all(keys.map((key) => privateKeyOf(accountId, key)))
  return new Map(opened.flat())
}

async function privateKeyOf(accountId: string, { sshKeyId, secretId }: SshKeyRow): Promise<[string, string][]> {
  const privateKey = await Secret.open(accountId, secretId)
  return privateKey === undefined ? [] : [[sshKeyId, privateKey]]
}
