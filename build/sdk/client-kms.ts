import { Client } from "./client.ts"
import { converting, fromBase64, jsonCommand, toBase64 } from "./json.ts"

export class KMSClient extends Client {
  protected override readonly service = { host: "kms", signed: "kms" }
}

const kms = {
  target: "TrentService",
  version: "1.1",
  input: converting(["Message", "CiphertextBlob"], toBase64),
  output: converting(["Plaintext", "CiphertextBlob", "Mac"], fromBase64),
} as const

export const DecryptCommand = jsonCommand("Decrypt", kms)
export const GenerateDataKeyCommand = jsonCommand("GenerateDataKey", kms)
export const GenerateMacCommand = jsonCommand("GenerateMac", kms)
