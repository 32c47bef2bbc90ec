import { randomBytes } from "node:crypto"
import type { Wiring } from "./wiring.ts"

export interface Credentials {
  accessKeyId: string
  secretAccessKey: string
}

/** The key pairs of a running stack: one for each role, made at its start, and the operator's, which is always the same. */
export interface KeyRing {
  /** The pair that stands for a role. */
  of(role: string): Credentials
  secret(accessKeyId: string): string | undefined
  /** The role that an access key stands for; none for the operator's. */
  role(accessKeyId: string): string | undefined
}

/** The person at this machine, who may do everything. */
export const operator: Credentials = { accessKeyId: "local", secretAccessKey: "local" }

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
const accessKeyId = () => `AKIA${[...randomBytes(16)].map((byte) => alphabet[byte % 32]).join("")}`

/** Makes the key pairs of every role that the wiring knows. */
export function makeKeyRing({ roles }: Pick<Wiring, "roles">): KeyRing {
  const made = Object.keys(roles).map(
    (role) => [role, { accessKeyId: accessKeyId(), secretAccessKey: randomBytes(30).toString("base64") }] as const,
  )
  const byRole = new Map<string, Credentials>(made)
  const secrets = new Map([operator, ...byRole.values()].map((pair) => [pair.accessKeyId, pair.secretAccessKey]))
  const roleOf = new Map(made.map(([role, pair]) => [pair.accessKeyId, role]))
  return {
    of(role) {
      const pair = byRole.get(role)
      if (!pair) throw new Error(`The wiring has no role ${role}`)
      return pair
    },
    secret: (id) => secrets.get(id),
    role: (id) => roleOf.get(id),
  }
}
