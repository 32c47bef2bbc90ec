import { rmSync } from "node:fs"
import { chown, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { User } from "./isolation.ts"

/** No configuration, agent or key of the image's; a host is trusted when it is first seen, as there is nobody to ask. */
const options = [
  "-F /dev/null",
  ...[
    "BatchMode=yes",
    "ClearAllForwardings=yes",
    "ConnectTimeout=30",
    "ForwardAgent=no",
    "GlobalKnownHostsFile=/dev/null",
    "IdentitiesOnly=yes",
    "IdentityAgent=none",
    "PermitLocalCommand=no",
    "ServerAliveCountMax=4",
    "ServerAliveInterval=30",
    "StrictHostKeyChecking=accept-new",
  ].map((option) => `-o ${option}`),
]

/**
 * Does `work` with a folder that nobody else reads and the command that runs ssh with these keys; both are gone when it is done.
 * `user`: who runs it, if not the daemon itself.
 */
export const withKeys = async <Result>(
  keys: string[],
  user: User | undefined,
  work: (place: { home: string; ssh: string }) => Promise<Result>,
): Promise<Result> => {
  const home = await mkdtemp(join(tmpdir(), "dormouse-git-"))
  const forget = () => rmSync(home, { recursive: true, force: true })
  // However the process ends: a lost run ends it at once.
  process.once("exit", forget)
  try {
    const files = keys.map((_, i) => join(home, `key-${i + 1}`))
    for (const [i, file] of files.entries()) await writeFile(file, keys[i]!, { mode: 0o600 })
    if (user) for (const path of [home, ...files]) await chown(path, user.uid, user.gid)
    const identities = files.length ? files.map((file) => `-i '${file}'`) : ["-o PubkeyAuthentication=no"]
    const ssh = ["ssh", ...options, `-o 'UserKnownHostsFile=${home}/known_hosts'`, ...identities].join(" ")
    return await work({ home, ssh })
  } finally {
    process.off("exit", forget)
    await rm(home, { recursive: true, force: true })
  }
}
