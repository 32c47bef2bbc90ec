import * as z from "zod"
import * as Account from "./account.ts"
import * as ApiKey from "./api-key.ts"
import * as Billing from "./billing.ts"
import * as Erasure from "./erasure.ts"
import { derivedId } from "./id.ts"
import { Problem } from "./problem.ts"
import * as Redrive from "./redrive.ts"
import * as Story from "./story.ts"

/** What the operator of a stack may do, by invoking a function by name. Nothing of it can be reached from the gateway. */
export const Operation = z.discriminatedUnion("operation", [
  Account.Create.extend({ operation: z.literal("createAccount") }),
  ApiKey.Create.extend({ operation: z.literal("createKey") }),
  Billing.Grant.extend({ operation: z.literal("grantCredit") }),
  z.strictObject({
    operation: z.literal("ensureAccount"),
    apiKey: z.string(),
    name: z.string().nullable().default(null),
    email: z.email().nullable().default(null),
    creditUsd: z.number().min(0),
  }),
  Story.Asked.extend({ operation: z.literal("showTask") }),
  Story.Asked.extend({ operation: z.literal("redriveTask") }),
  Erasure.Erase.extend({ operation: z.literal("eraseAccount") }),
])

/** Carries out one operation. All of them may be sent twice. */
export const carryOut = (operation: z.output<typeof Operation>) =>
  perform(operation).catch((error: unknown) => {
    throw inWords(error)
  })

/** Who invokes a function by name is told of an error's message alone, so that has to name the fields that are wrong. */
function inWords(error: unknown): unknown {
  const { issues } = (error instanceof Problem ? error.extra : {}) as { issues?: { path: string; message: string }[] }
  return issues ? new Error(issues.map(({ path, message }) => `${path}: ${message}`).join("; ")) : error
}

async function perform(operation: z.output<typeof Operation>) {
  switch (operation.operation) {
    case "createAccount":
      return Account.create(operation)
    case "createKey":
      return ApiKey.create(operation)
    case "grantCredit":
      return Billing.grant(operation)
    case "ensureAccount":
      return ensureAccount(operation)
    case "showTask":
      return Story.tell(operation)
    case "redriveTask":
      return Redrive.redrive(await Story.find(operation))
    case "eraseAccount":
      return Erasure.erase(operation)
  }
}

/** The account that a key belongs to, made on first use with the key and some credit. The key decides the account's id. */
async function ensureAccount({
  apiKey,
  name,
  email,
  creditUsd,
}: Extract<z.output<typeof Operation>, { operation: "ensureAccount" }>) {
  const accountId = derivedId("account", apiKey)
  await Account.create({ accountId, name, email, billingMode: "standard" })
  const { keyId } = await ApiKey.create({ accountId, apiKey, name: "First key" })
  await Billing.grantOnce({ accountId, usd: creditUsd, grantId: "first" })
  return { accountId, keyId }
}
