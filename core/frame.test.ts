import { describe, expect, test } from "vitest"
import { commentText, frameText, retryText } from "./frame.ts"

/** Reads a stream as the HTML standard says a browser does: https://html.spec.whatwg.org/#event-stream-interpretation */
const read = (text: string) =>
  text
    .split(/\r\n\r\n|\n\n|\r\r/)
    .filter(Boolean)
    .map((block) =>
      Object.fromEntries(
        block
          .split(/\r\n|\n|\r/)
          .filter((line) => !line.startsWith(":"))
          .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).replace(/^ /, "")]),
      ),
    )

describe("a frame", () => {
  test("is its event, its number and its data as JSON", () => {
    expect(frameText({ event: "message", id: 7, data: { content: "Hello" } })).toBe(
      'event: message\nid: 7\ndata: {"content":"Hello"}\n\n',
    )
    expect(read(frameText({ event: "task", data: {} }))).toEqual([{ event: "task", data: "{}" }])
  })

  test.each(["a\n\nevent: task\ndata: forged", "a\r\rid: 99", "a\r\n\r\nretry: 1", "\u2028\u2029\u0085", "data: x\n", "\u0000"])(
    "cannot be broken by what is in it: %j",
    (content) => {
      const frames = read(frameText({ event: "message", id: 1, data: { content } }))
      expect(frames).toHaveLength(1)
      expect(Object.keys(frames[0]!)).toEqual(["event", "id", "data"])
      expect(JSON.parse(frames[0]!.data!)).toEqual({ content })
    },
  )

  test("a comment is nothing to a reader, and a time to come back is no event", () => {
    expect(read(commentText)).toEqual([{}])
    expect(read(retryText(1000))).toEqual([{ retry: "1000" }])
  })
})
