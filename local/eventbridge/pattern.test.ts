import { describe, expect, it } from "vitest"
import { matches, validate } from "./pattern.ts"

const event = {
  source: "shop.orders",
  "detail-type": "order.completed",
  detail: {
    shop: "north",
    state: "done",
    total: 7,
    tags: ["new", "big"],
    nothing: null,
    none: [],
    paid: true,
    v4: "10.1.2.3",
    v6: "2001:db8::17",
    nested: { depth: 1 },
    lines: [{ item: "cup", count: 2 }, { item: "jug", count: 9 }, { gift: true }],
  },
}
const detail = (pattern: Record<string, unknown>) => ({ detail: pattern })

const matching: [string, Record<string, unknown>][] = [
  ["an equal string", { source: ["other", "shop.orders"] }],
  ["an equal number", detail({ total: [7] })],
  ["an equal boolean", detail({ paid: [true] })],
  ["null", detail({ nothing: [null] })],
  ["one element of a list", detail({ tags: ["big"] })],
  ["a nested field", detail({ nested: { depth: [1] } })],
  ["a field of one object of a list", detail({ lines: { item: ["jug"] } })],
  ["two fields of the same object of a list", detail({ lines: { item: ["jug"], count: [9] } })],
  ["a field that one object of a list lacks", detail({ lines: { item: ["jug"], gift: [{ exists: false }] } })],
  ["prefix", { "detail-type": [{ prefix: "order." }] }],
  ["prefix whatever the case", { "detail-type": [{ prefix: { "equals-ignore-case": "ORDER." } }] }],
  ["suffix", { "detail-type": [{ suffix: ".completed" }] }],
  ["suffix whatever the case", { "detail-type": [{ suffix: { "equals-ignore-case": ".COMPLETED" } }] }],
  ["equals-ignore-case", detail({ shop: [{ "equals-ignore-case": "North" }] })],
  ["wildcard", { "detail-type": [{ wildcard: "order.*ed" }] }],
  ["wildcard with several stars", { "detail-type": [{ wildcard: "*d*.c*d" }] }],
  ["wildcard with an escaped star beside a star", { detail: { shop: [{ wildcard: "no\\**" }, { wildcard: "no*" }] } }],
  ["numeric comparison", detail({ total: [{ numeric: [">=", 7] }] })],
  ["numeric range", detail({ total: [{ numeric: [">", 5, "<=", 7] }] })],
  ["exists", detail({ shop: [{ exists: true }] })],
  ["exists: false for what is absent", detail({ gone: { deep: [{ exists: false }] } })],
  ["exists: false for an object, which is no leaf", detail({ nested: [{ exists: false }] })],
  ["exists: false for an empty list", detail({ none: [{ exists: false }] })],
  ["cidr v4", detail({ v4: [{ cidr: "10.1.0.0/16" }] })],
  ["cidr v6", detail({ v6: [{ cidr: "2001:db8::/64" }] })],
  ["cidr of everything", detail({ v4: [{ cidr: "0.0.0.0/0" }] })],
  ["anything-but a value", detail({ state: [{ "anything-but": "failed" }] })],
  ["anything-but a list", detail({ total: [{ "anything-but": [1, 2] }] })],
  ["anything-but when another element of the list differs", detail({ tags: [{ "anything-but": ["new"] }] })],
  ["anything-but prefix", detail({ state: [{ "anything-but": { prefix: "fail" } }] })],
  ["anything-but a list of suffixes", detail({ state: [{ "anything-but": { suffix: ["x", "y"] } }] })],
  ["anything-but equals-ignore-case", detail({ state: [{ "anything-but": { "equals-ignore-case": ["FAILED"] } }] })],
  ["anything-but wildcard", detail({ state: [{ "anything-but": { wildcard: "f*d" } }] })],
  ["$or", detail({ $or: [{ shop: ["south"] }, { total: [7] }] })],
  ["$or beside another field", detail({ state: ["done"], $or: [{ shop: ["south"] }, { total: [{ numeric: [">", 1] }] }] })],
]

const differing: [string, Record<string, unknown>][] = [
  ["another string", { source: ["x"] }],
  ["a number written as a string", detail({ total: ["7"] })],
  ["two fields of different objects of a list", detail({ lines: { item: ["cup"], count: [9] } })],
  ["another suffix", { "detail-type": [{ suffix: ".failed" }] }],
  ["a wildcard whose ends overlap", detail({ shop: [{ wildcard: "north*th" }] })],
  ["an escaped star", detail({ shop: [{ wildcard: "n\\*h" }] })],
  ["a number below the range", detail({ total: [{ numeric: ["<", 5] }] })],
  ["a string for numeric", detail({ shop: [{ numeric: ["<", 5] }] })],
  ["an address outside the block", detail({ v4: [{ cidr: "10.2.0.0/16" }] })],
  ["an address of the other family", detail({ v6: [{ cidr: "0.0.0.0/0" }] })],
  ["a text that is no address", detail({ shop: [{ cidr: "0.0.0.0/0" }] })],
  ["an excluded value", detail({ state: [{ "anything-but": ["done", "x"] }] })],
  ["an excluded prefix", detail({ state: [{ "anything-but": { prefix: "do" } }] })],
  ["anything-but of what is absent", detail({ gone: [{ "anything-but": "x" }] })],
  ["exists of what is absent", detail({ gone: [{ exists: true }] })],
  ["a name of every object", detail({ toString: [{ exists: true }] })],
  ["no alternative", detail({ $or: [{ shop: ["south"] }, { total: [8] }] })],
]

const refused: [string, unknown, RegExp][] = [
  ["no object", "x", /a pattern is an object/],
  ["an empty pattern", {}, /an empty object/],
  ["a leaf that is not a list", { source: "shop" }, /must be an object or a list at source/],
  ["an empty list", { detail: { state: [] } }, /may not be empty at detail\.state/],
  ["a list in a list", { source: [["x"]] }, /list inside its list/],
  ["an unknown operator", { source: [{ like: "x" }] }, /no match operator "like"/],
  ["an operator that every object has", { source: [{ toString: "x" }] }, /no match operator "toString"/],
  ["two operators at once", { source: [{ prefix: "x", suffix: "y" }] }, /exactly one operator/],
  ["a prefix that is no string", { source: [{ prefix: 1 }] }, /prefix takes a string/],
  ["exists of a word", { source: [{ exists: "yes" }] }, /exists takes true or false/],
  ["a comparison that does not exist", { detail: { total: [{ numeric: ["<>", 5] }] } }, /does not know the comparison/],
  ["a range upside down", { detail: { total: [{ numeric: [">", 5, "<", 1] }] } }, /bottom of a numeric range/],
  ["a block that is none", { detail: { v4: [{ cidr: "10.0.0.0/33" }] } }, /cidr takes a block/],
  ["two stars", { source: [{ wildcard: "a**b" }] }, /two stars/],
  ["an escape of something else", { source: [{ wildcard: "a\\b" }] }, /backslash/],
  ["anything-but of nothing", { source: [{ "anything-but": [] }] }, /may not be empty/],
  ["anything-but of mixed values", { source: [{ "anything-but": ["a", 1] }] }, /list of strings or a list of numbers/],
  ["anything-but numeric", { source: [{ "anything-but": { numeric: [">", 1] } }] }, /anything-but takes values or one of/],
  ["$or with one alternative", { $or: [{ source: ["x"] }] }, /\$or takes a list of two or more/],
  ["a fault inside $or", { $or: [{ source: ["x"] }, { source: "y" }] }, /at \$or\[1\]\.source/],
]

describe("an event pattern", () => {
  it.each(matching)("matches %s", (_, pattern) => {
    expect(() => validate(pattern)).not.toThrow()
    expect(matches(pattern, event)).toBe(true)
  })

  it.each(differing)("does not match %s", (_, pattern) => {
    expect(() => validate(pattern)).not.toThrow()
    expect(matches(pattern, event)).toBe(false)
  })

  it.each(refused)("is refused with %s", (_, pattern, words) => {
    expect(() => validate(pattern)).toThrow(words)
  })

  it("matches wildcards in linear time, whatever the text", () => {
    const wildcard = `${"a*".repeat(30)}b`
    expect(matches({ text: [{ wildcard }] }, { text: "a".repeat(100_000) })).toBe(false)
  })
})
