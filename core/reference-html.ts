const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" }

/** Text as it may stand anywhere in a page. */
export const escaped = (text: string) => text.replace(/[&<>"']/g, (character) => entities[character]!)

/** A line of a description: what stands in backticks is code. */
export const inline = (text: string) => escaped(text).replace(/`([^`]+)`/g, "<code>$1</code>")

/** A description: a paragraph for each of its lines. */
export const prose = (text: string) =>
  text
    .split("\n")
    .filter((line) => line.trim())
    .map((line) => `<p>${inline(line)}</p>`)
    .join("")
