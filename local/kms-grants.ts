import { randomUUID } from "node:crypto"
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { isDeepStrictEqual } from "node:util"
import { millis } from "#core/clock.ts"
import type { RequestContext } from "./iam.ts"
import { AwsError, type Caller } from "./service.ts"
import type { Wiring } from "./wiring.ts"

type Key = Wiring["keys"][number]
type Input = Record<string, unknown>

interface Grant {
  GrantId: string
  GrantToken: string
  /** ARN of the key. */
  KeyId: string
  GranteePrincipal: string
  RetiringPrincipal?: string
  Operations: string[]
  Constraints?: { EncryptionContextEquals?: Record<string, string>; EncryptionContextSubset?: Record<string, string> }
  Name?: string
  CreationDate: number
}

/** Operations that a grant can allow, by what a key is for. */
const grantable: Record<Key["usage"], readonly string[]> = {
  ENCRYPT_DECRYPT: ["Encrypt", "Decrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext"],
  GENERATE_VERIFY_MAC: ["GenerateMac", "VerifyMac"],
}
const always = ["DescribeKey", "RetireGrant"]

const validation = (message: string) => new AwsError("ValidationException", message)
const optional = (input: Input, ...names: string[]) =>
  Object.fromEntries(names.filter((name) => input[name] !== undefined).map((name) => [name, input[name]]))

/**
 * Grants: what a key lets a role do beside what the role's policies say, in an encryption context where the grant names one. They hold
 * from the moment that they are made; AWS may take minutes, for which it gives the token. Kept in `path`.
 */
export class Grants {
  readonly #path: string
  readonly #find: (input: Input, caller: Caller) => Key
  #all: Grant[]

  constructor(path: string, find: (input: Input, caller: Caller) => Key) {
    this.#path = path
    this.#find = find
    this.#all = existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Grant[]) : []
  }

  readonly operations: Record<string, (input: Input, caller: Caller) => object> = {
    CreateGrant: (input, caller) => this.#create(input, caller),
    ListGrants: (input, caller) => {
      const { arn } = this.#find(input, caller)
      const wanted = optional(input, "GrantId", "GranteePrincipal")
      const isWanted = (grant: Grant) => Object.entries(wanted).every(([name, value]) => grant[name as keyof Grant] === value)
      const Grants = this.#all
        .filter((grant) => grant.KeyId === arn && isWanted(grant))
        .map(({ GrantToken: _, ...grant }) => grant)
      return { Grants, Truncated: false }
    },
    RevokeGrant: (input, caller) => this.#remove(this.#known({ GrantId: input.GrantId, KeyId: this.#find(input, caller).arn })),
    RetireGrant: (input) => this.#remove(this.#known(input)),
  }

  /** Whether a grant allows a role what its policies say nothing of. */
  allow({ role }: Caller, action: string, keyArn: string, context: RequestContext): boolean {
    const operation = action.replace(/^kms:/, "")
    return this.#all.some((grant) => {
      if (grant.KeyId !== keyArn) return false
      if (operation === "RetireGrant" && grant.RetiringPrincipal === role) return true
      return grant.GranteePrincipal === role && grant.Operations.includes(operation) && isWithin(grant, context)
    })
  }

  #create(input: Input, caller: Caller) {
    const key = this.#find(input, caller)
    const { GranteePrincipal, Operations } = input
    if (typeof GranteePrincipal !== "string") throw new AwsError("InvalidArnException", "GranteePrincipal must be an ARN")
    const known = [...grantable[key.usage], ...always]
    const asked = Array.isArray(Operations) ? (Operations as string[]) : []
    const unknown = asked.find((operation) => !known.includes(operation))
    if (unknown !== undefined || asked.length === 0) throw validation(`Operations must be some of ${known.join(", ")}`)
    const about = {
      KeyId: key.arn,
      GranteePrincipal,
      Operations: asked,
      ...optional(input, "RetiringPrincipal", "Constraints", "Name"),
    }
    const made = input.Name === undefined ? undefined : this.#all.find((grant) => isSame(grant, about))
    const { GrantId, GrantToken } = made ?? this.#add(about)
    return { GrantId, GrantToken }
  }

  #add(about: Omit<Grant, "GrantId" | "GrantToken" | "CreationDate">): Grant {
    const ids = { GrantId: randomUUID().replaceAll("-", ""), GrantToken: randomUUID() }
    const grant: Grant = { ...ids, ...about, CreationDate: millis() / 1000 }
    this.#save([...this.#all, grant])
    return grant
  }

  #known({ KeyId, GrantId, GrantToken }: Input): Grant {
    const found = this.#all.find((grant) =>
      GrantToken === undefined
        ? grant.KeyId === KeyId && grant.GrantId === GrantId
        : grant.GrantToken === GrantToken && (KeyId === undefined || grant.KeyId === KeyId),
    )
    if (!found) throw new AwsError("NotFoundException", `Grant '${String(GrantId ?? GrantToken)}' does not exist`)
    return found
  }

  #remove(grant: Grant) {
    this.#save(this.#all.filter((one) => one !== grant))
    return {}
  }

  #save(all: Grant[]) {
    writeFileSync(`${this.#path}.new`, JSON.stringify(all), { mode: 0o600, flush: true })
    renameSync(`${this.#path}.new`, this.#path)
    this.#all = all
  }
}

const contextName = "kms:EncryptionContext:"

function isWithin(
  { Constraints: { EncryptionContextEquals: equals, EncryptionContextSubset: subset } = {} }: Grant,
  context: RequestContext,
) {
  const pairs = Object.entries(context).filter(([name]) => name.startsWith(contextName))
  const given = Object.fromEntries(pairs.map(([name, value]) => [name.slice(contextName.length), value]))
  const has = (wanted: Record<string, string>) => Object.entries(wanted).every(([name, value]) => given[name] === value)
  return has(subset ?? {}) && (equals === undefined || (has(equals) && Object.keys(equals).length === pairs.length))
}

/** A grant of the same name for the same is not made twice. */
const isSame = ({ GrantId: _, GrantToken: __, CreationDate: ___, ...grant }: Grant, about: object) =>
  isDeepStrictEqual(grant, about)
