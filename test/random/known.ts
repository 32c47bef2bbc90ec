/** Ids that requests are about: which one it is, is known when a request is sent, not when it is made up. */

/** The beginning of the ids that a field or a parameter of this name takes; undefined for one of another kind. */
export const prefixOf = (name: string) => Object.entries(prefixes).find(([field]) => name.toLowerCase().includes(field))?.[1]

const prefixes = {
  agentid: "agt",
  containerversionid: "ctv",
  versionid: "agv",
  containerid: "ctr",
  taskid: "tsk",
  fileid: "file",
  repositoryid: "repo",
  sshkeyid: "ssh",
  keyid: "key",
  webhookid: "whk",
  deliveryid: "dlv",
  uploadid: "upl",
}

/** Stands in a request for the nth known id of a kind; the same in an address as in a body. */
export const placeholder = (prefix: string, nth: number) => `*${prefix}.${nth}*`

/** How many of the first and of the latest ids of a kind are remembered. */
const remembered = 20

const idsIn = (text: string) => [...text.matchAll(/\b([a-z]+)_(?:[0-9A-HJKMNP-TV-Z]{26}|standard_\w+)\b/g)].map(([id]) => id)

export class Known {
  /** The ids of a kind. */
  readonly #ids = new Map<string, string[]>()
  /** The ids that an id was seen with. */
  readonly #seenWith = new Map<string, Set<string>>()
  readonly #except: string

  /** `except` is never learnt: it would be changed or deleted. */
  constructor(except: string) {
    this.#except = except
  }

  /** Takes every id from a request and its answer: those of a list from each of its items. */
  learn(request: string, answer: unknown) {
    const items = (answer as { data?: unknown[] } | undefined)?.data ?? [answer]
    for (const item of items) {
      const ids = idsIn(`${request} ${JSON.stringify(item)}`).filter((id) => id !== this.#except)
      for (const id of ids) this.#remember(id, ids)
    }
  }

  #remember(id: string, others: string[]) {
    const prefix = id.slice(0, id.indexOf("_"))
    const ids = this.#ids.get(prefix) ?? []
    this.#ids.set(prefix, ids)
    this.#seenWith.set(id, (this.#seenWith.get(id) ?? new Set()).union(new Set(others)))
    if (ids.includes(id)) return
    ids.push(id)
    if (ids.length > 2 * remembered) ids.splice(remembered, 1)
  }

  /** The same text with ids in the place of their placeholders, where possible such as were seen with those before them. */
  fill(text: string): string {
    let before = new Set<string>()
    return text.replace(/\*(\w+)\.(\d+)\*/g, (_, prefix: string, nth: string) => {
      const all = this.#ids.get(prefix) ?? []
      const related = all.filter((id) => before.has(id))
      const ids = related.length ? related : all
      const id = ids[Number(nth) % ids.length] ?? `${prefix}_that_nobody_has`
      before = this.#seenWith.get(id) ?? before
      return id
    })
  }
}
