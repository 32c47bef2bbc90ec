/** Cuts a stream of text into lines. `end` gives out the last one, if it has no line end. */
export const createLines = (onLine: (line: string) => void) => {
  let rest = ""
  const push = (text: string) => {
    const lines = (rest + text).split("\n")
    rest = lines.pop() ?? ""
    for (const line of lines) onLine(line.replace(/\r$/, ""))
  }
  const end = () => {
    if (rest) onLine(rest)
    rest = ""
  }
  return { push, end }
}

/** At most `lines` lines and `characters` characters of a text, with a mark where it was cut. */
export const shorten = (text: string, lines: number, characters: number): string => {
  const all = text.trimEnd().split("\n")
  const few = all.slice(0, lines).join("\n")
  const cut = few.length > characters ? `${few.slice(0, characters)} …` : few
  return all.length > lines ? `${cut}\n… (${all.length - lines} more lines)` : cut
}
