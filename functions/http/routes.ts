import { readdir } from "node:fs/promises"
import type { Route } from "./route.ts"

/** Every route of a folder of functions, by the folder's own listing: nothing is registered by hand. For documents and tests. */
export async function routesOf(folder: "api" | "agent" | "gateway"): Promise<Route[]> {
  const directory = new URL(`../${folder}/`, import.meta.url)
  const files = (await readdir(directory)).filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts")).sort()
  const modules = await Promise.all(files.map((file) => import(new URL(file, directory).href) as Promise<{ routes: Route[] }>))
  return modules.flatMap(({ routes }) => routes)
}
