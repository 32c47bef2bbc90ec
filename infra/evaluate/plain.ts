import { Output } from "@pulumi/pulumi"

/** Pulumi marks values that are more than JSON with this key. */
const signature = "4dabf18193072939515e22adb298388d"
const secret = "1b47061264138c4ac30d75fd1eb44270"
const archive = "0def7320c3a5731c473e5ecbe6d01bc7"

/** The same value as JSON. A secret becomes `{$secret}` with nothing of it, an archive `{$archive: path}`. */
export function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (!isObject(value)) return value
  if (value[signature] === secret) return { $secret: true }
  if (value[signature] === archive) return { $archive: value.path }
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]))
}

/** The same value with that of every output in its place. */
export async function settled(value: unknown): Promise<unknown> {
  if (Output.isInstance(value)) return settled(await (value as unknown as { promise(): Promise<unknown> }).promise())
  if (Array.isArray(value)) return Promise.all(value.map(settled))
  if (!isObject(value)) return value
  const entries = Object.entries(value).map(async ([key, inner]) => [key, await settled(inner)] as const)
  return Object.fromEntries(await Promise.all(entries))
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null
