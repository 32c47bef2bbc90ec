/** The cyclic redundancy checks that S3 knows and Node does not have, and how two of one kind are joined. All are reflected. */

const castagnoli = 0x82f63b78
const nvme = 0x9a6c9329ac4bc9b5n

/** Bits and reflected polynomial by name. */
const polynomials = {
  crc32: { bits: 32, polynomial: 0xedb88320n },
  crc32c: { bits: 32, polynomial: BigInt(castagnoli) },
  crc64nvme: { bits: 64, polynomial: nvme },
} as const

export type CrcName = keyof typeof polynomials

const table32 = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ castagnoli : value >>> 1
  return value >>> 0
})

const table64 = Array.from({ length: 256 }, (_, byte) => {
  let value = BigInt(byte)
  for (let bit = 0; bit < 8; bit++) value = value & 1n ? (value >> 1n) ^ nvme : value >> 1n
  return value
})
const low64 = Uint32Array.from(table64, (value) => Number(value & 0xffffffffn))
const high64 = Uint32Array.from(table64, (value) => Number(value >> 32n))

/** CRC-32C of `bytes` after what gave `previous`. */
export const crc32c = (bytes: Uint8Array, previous = 0): number => {
  let value = ~previous
  for (let at = 0; at < bytes.length; at++) value = (value >>> 8) ^ table32[(value ^ bytes[at]!) & 255]!
  return ~value >>> 0
}

/** CRC-64/NVME of `bytes` after what gave `previous`. Kept as two words of 32 bits, because a BigInt a byte is fifty times slower. */
export const crc64nvme = (bytes: Uint8Array, previous = 0n): bigint => {
  let low = ~Number(previous & 0xffffffffn)
  let high = ~Number(previous >> 32n)
  for (let at = 0; at < bytes.length; at++) {
    const index = (low ^ bytes[at]!) & 255
    low = ((low >>> 8) | (high << 24)) ^ low64[index]!
    high = (high >>> 8) ^ high64[index]!
  }
  return (BigInt(~high >>> 0) << 32n) | BigInt(~low >>> 0)
}

/** The check of two pieces in a row, from the check of each and the bytes of the second. */
export const combine = (name: CrcName, first: bigint, second: bigint, secondSize: number): bigint => {
  const { bits, polynomial } = polynomials[name]
  const one = 1n << BigInt(bits - 1)
  /** Product of two polynomials modulo the check's own; the highest bit is the constant term. */
  const multiply = (a: bigint, b: bigint) => {
    let product = 0n
    let power = b
    for (let bit = one; bit > 0n; bit >>= 1n) {
      if (a & bit) product ^= power
      power = power & 1n ? (power >> 1n) ^ polynomial : power >> 1n
    }
    return product
  }
  let shift = one
  let power = one >> 8n
  for (let left = secondSize; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) shift = multiply(shift, power)
    power = multiply(power, power)
  }
  return multiply(first, shift) ^ second
}
