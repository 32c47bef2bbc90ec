import { randomBytes } from "node:crypto"
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Wiring } from "./wiring.ts"

export interface Credentials {
  accessKeyId: string
  secretAccessKey: string
}

/** The key pairs of a running stack: one for each role, made at its start, and the operator's, which stays with the data folder. */
export interface KeyRing {
  /** The pair of the person at this machine, who may do everything. */
  operator: Credentials
  /** The pair that stands for a role. */
  of(role: string): Credentials
  secret(accessKeyId: string): string | undefined
  /** The role that an access key stands for; none for the operator's. */
  role(accessKeyId: string): string | undefined
}

/** Access key of the operator, on every machine. */
export const operatorKeyId = "local"

const newSecret = () => randomBytes(30).toString("base64url")

/**
 * The operator's secret, made once and kept in the data folder, in a file that only its owner can read. It cannot be a word that
 * everybody knows: the agents of tasks can reach the port of the embedded AWS.
 */
export function operatorSecret(data: string): string {
  const path = join(data, "aws-secret")
  if (existsSync(path)) return readFileSync(path, "utf8").trim()
  const secret = newSecret()
  writeFileSync(`${path}.new`, `${secret}\n`, { mode: 0o600, flush: true })
  renameSync(`${path}.new`, path)
  return secret
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
const accessKeyId = () => `AKIA${[...randomBytes(16)].map((byte) => alphabet[byte % 32]).join("")}`

/** Makes the key pairs of every role that the wiring knows, and takes the operator's secret in. */
export function makeKeyRing({ roles }: Pick<Wiring, "roles">, secretAccessKey = newSecret()): KeyRing {
  const operator = { accessKeyId: operatorKeyId, secretAccessKey }
  const made = Object.keys(roles).map((role) => [role, { accessKeyId: accessKeyId(), secretAccessKey: newSecret() }] as const)
  const byRole = new Map<string, Credentials>(made)
  const secrets = new Map([operator, ...byRole.values()].map((pair) => [pair.accessKeyId, pair.secretAccessKey]))
  const roleOf = new Map(made.map(([role, pair]) => [pair.accessKeyId, role]))
  return {
    operator,
    of(role) {
      const pair = byRole.get(role)
      if (!pair) throw new Error(`The wiring has no role ${role}`)
      return pair
    },
    secret: (id) => secrets.get(id),
    role: (id) => roleOf.get(id),
  }
}
