/** It comes without types. */
declare module "ssrf-req-filter" {
  import type { Agent } from "node:http"

  export default function filter(url: string): Agent
}
