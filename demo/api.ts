/** The API as a script uses it: fetch, a key, JSON. */
export const apiOf = (origin: string, apiKey: string) => {
  const call = async (method: string, path: string, body?: object) => {
    const response = await fetch(`${origin}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`)
    return text
  }
  return {
    get: async (path: string) => JSON.parse(await call("GET", path)),
    post: async (path: string, body: object) => JSON.parse(await call("POST", path, body)),
    text: (path: string) => call("GET", path),
  }
}

export type Api = ReturnType<typeof apiOf>
