import { AwsError } from "../service.ts"

/** XML as S3 speaks it: elements without attributes, a list as one element many times. */
export type Content = string | number | boolean | undefined | { [name: string]: Content } | Content[]

const namespace = "http://s3.amazonaws.com/doc/2006-03-01/"
const declaration = '<?xml version="1.0" encoding="UTF-8"?>\n'

/** A document with one root element. Errors are the one kind without S3's namespace. */
export const document = (root: string, content: { [name: string]: Content }) =>
  `${declaration}<${root}${root === "Error" ? "" : ` xmlns="${namespace}"`}>${children(content)}</${root}>`

const children = (content: { [name: string]: Content }) =>
  Object.entries(content)
    .map(([name, value]) => element(name, value))
    .join("")

const element = (name: string, value: Content): string => {
  if (value === undefined) return ""
  if (Array.isArray(value)) return value.map((each) => element(name, each)).join("")
  return `<${name}>${typeof value === "object" ? children(value) : escaped(String(value))}</${name}>`
}

/** Control characters may stand in a key though not in XML 1.0; like S3 we write them as references all the same. */
const escaped = (text: string) => text.replace(/[<>&"'\p{Cc}]/gu, (char) => `&#x${char.charCodeAt(0).toString(16)};`)

/** An element of a parsed document. */
export interface Element {
  name: string
  text: string
  children: Element[]
}

/** Reads a document of elements and text; declarations and comments are skipped. Problems: `AwsError` MalformedXML. */
export const parse = (source: string): Element => {
  const top: Element = { name: "", text: "", children: [] }
  const open = [top]
  let at = 0
  while (at < source.length) {
    const inner = open.at(-1)!
    const tag = source.indexOf("<", at)
    const text = source.slice(at, tag < 0 ? undefined : tag)
    inner.text += unescaped(text)
    if (tag < 0) break
    at = skipped(source, tag)
    if (at > tag) continue
    const close = source.indexOf(">", tag)
    if (close < 0) throw malformed()
    take(source.slice(tag + 1, close), open)
    at = close + 1
  }
  const [root, ...others] = top.children
  if (open.length !== 1 || !root || others.length > 0 || top.text.trim() !== "") throw malformed()
  return root
}

/** Where a declaration or comment that begins at `tag` ends; `tag` itself when there is none. A document type is refused. */
const skipped = (source: string, tag: number) => {
  const end = source.startsWith("<?", tag) ? "?>" : source.startsWith("<!--", tag) ? "-->" : undefined
  if (!end) return tag
  const at = source.indexOf(end, tag)
  if (at < 0) throw malformed()
  return at + end.length
}

const take = (tag: string, open: Element[]) => {
  if (tag.startsWith("/")) {
    if (open.length === 1 || open.pop()!.name !== tag.slice(1).trim()) throw malformed()
    return
  }
  const name = /^(?:[\w-]+:)?([A-Za-z][\w.-]*)(?:\s[^<]*)?$/.exec(tag.replace(/\/$/, ""))?.[1]
  if (!name || open.length > 8) throw malformed()
  const child: Element = { name, text: "", children: [] }
  open.at(-1)!.children.push(child)
  if (!tag.endsWith("/")) open.push(child)
}

const entities = new Map(Object.entries({ lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" }))

const unescaped = (text: string) =>
  text.replace(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|(\w+));|&/gi, (_, hex?: string, decimal?: string, name?: string) => {
    if (name !== undefined) return entities.get(name) ?? fail()
    const code = hex !== undefined ? Number.parseInt(hex, 16) : Number(decimal ?? Number.NaN)
    return code <= 0x10ffff ? String.fromCodePoint(code) : fail()
  })

const fail = (): never => {
  throw malformed()
}

const malformed = () =>
  new AwsError("MalformedXML", "The XML you provided was not well-formed or did not validate against our schema.")

/** The text of a child element, or nothing. */
export const textOf = (parent: Element, name: string) => parent.children.find((child) => child.name === name)?.text
