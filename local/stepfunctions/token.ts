import { randomBytes } from "node:crypto"
import { AwsError } from "../service.ts"

/** A task token names its execution and carries a secret; opaque to everybody else, as on AWS. */
export const newToken = (execution: string) =>
  Buffer.from(JSON.stringify([execution, randomBytes(24).toString("base64url")])).toString("base64url")

/** The execution that a token belongs to. Throws InvalidToken for what never was one. */
export const executionOfToken = (token: string): string => {
  const invalid = () => new AwsError("InvalidToken", "Invalid Token: 'Invalid token'")
  try {
    const read: unknown = JSON.parse(Buffer.from(token, "base64url").toString())
    if (Array.isArray(read) && read.length === 2 && typeof read[0] === "string") return read[0]
  } catch {
    throw invalid()
  }
  throw invalid()
}
