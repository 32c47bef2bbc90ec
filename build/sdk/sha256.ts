import { createHash, createHmac, createSecretKey, type Hash, type Hmac } from "node:crypto"
import type { Checksum, SourceData } from "@smithy/types"

/** Node looks for a key object in every key that is bytes, by an exception: it takes longer than the HMAC. */
const keyOf = (secret: SourceData) => (typeof secret === "string" ? secret : createSecretKey(secret as Uint8Array))

/** Node's own SHA-256, and HMAC of it, in the signer's form. */
export class Sha256 implements Checksum {
  readonly #hash: Hash | Hmac

  constructor(secret?: SourceData) {
    this.#hash = secret === undefined ? createHash("sha256") : createHmac("sha256", keyOf(secret))
  }

  update(data: Uint8Array) {
    this.#hash.update(data)
  }

  async digest() {
    return this.#hash.digest()
  }

  reset() {
    throw new Error("Each text is hashed by a hash of its own")
  }
}
