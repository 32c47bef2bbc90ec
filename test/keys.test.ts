import { readdirSync } from "node:fs"
import { Entity } from "electrodb"
import { describe, expect, test } from "vitest"

/** Every row belongs to an account, and its key says so first: whoever has no account id cannot even ask. */

const folder = new URL("../core/", import.meta.url)
const files = readdirSync(folder).filter((file) => file.endsWith(".entity.ts"))
const modules = await Promise.all(files.map((file) => import(new URL(file, folder).href) as Promise<Record<string, unknown>>))
const entities = modules.flatMap((module) => Object.values(module).filter((value) => value instanceof Entity))

interface Index {
  index?: string
  pk: { template?: string; composite: readonly string[] }
}

const partitions = entities.flatMap((entity) => {
  const { model, indexes } = entity.schema as unknown as { model: { entity: string }; indexes: Record<string, Index> }
  return Object.values(indexes).map(({ index, pk }) => ({
    name: index ? `${model.entity} in ${index}` : model.entity,
    template: pk.template ?? "",
    composite: pk.composite,
  }))
})

/** Looked up before the account is known, no account's own, or read by the sweeper over all accounts. */
const outside: Record<string, string> = {
  "api-key": "api-key#${hash}",
  "run-token": "run-token#${hash}",
  "task-definition": "task-definition#${fingerprint}",
  "task in sweep": "sweep#${sweepShard}",
  "checkpoint in sweep": "checkpoints#${sweepShard}",
  "delivery in sweep": "delivery-sweep#${sweepShard}",
  "upload in sweep": "sweep-uploads#${sweepShard}",
  "file in sweep": "sweep-files#${sweepShard}",
  "event in sweep": "sweep-events#${sweepShard}",
  "signal in sweep": "sweep-signals#${sweepShard}",
  "task-removal in sweep": "sweep-removals#${sweepShard}",
}

describe("partition keys", () => {
  test("every file of entities has some", () => {
    expect(files.length).toBeGreaterThan(5)
    for (const [i, module] of modules.entries()) {
      expect(
        Object.values(module).some((value) => value instanceof Entity),
        files[i],
      ).toBe(true)
    }
  })

  test.each(partitions.filter(({ name }) => !outside[name]).map((one) => [one.name, one] as const))(
    "%s: begins with its account",
    (_, { template, composite }) => {
      expect(template).toMatch(/^\$\{accountId\}(#|$)/)
      expect(composite[0]).toBe("accountId")
    },
  )

  test("those outside are the ones that are listed here, by something that nobody can guess or that is nobody's", () => {
    const found = partitions.filter(({ template }) => !template.startsWith("${accountId}"))
    expect(Object.fromEntries(found.map(({ name, template }) => [name, template]))).toEqual(outside)
  })
})
