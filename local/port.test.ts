import { expect, test } from "vitest"
import { openPort } from "./port.ts"

test("before anybody serves at a port it says that it starts, as the API says its errors; from then on it is served", async () => {
  const port = await openPort(0)
  const ask = () => fetch(`http://127.0.0.1:${port.number}/api/v1/account`)
  const early = await ask()
  expect(early.status).toBe(503)
  expect(early.headers.get("retry-after")).toBe("1")
  expect(await early.json()).toEqual({
    error: { code: "unavailable", message: "Dormouse is starting. Try again in a moment." },
  })
  port.serve((_request, response) => void response.end("served"))
  expect(await (await ask()).text()).toBe("served")
  await port.close()
})
