import type { Turn } from "../daemon/api.ts"

/** What a script of the model, and a turn, are made of. */

export const said = (text: string) => ({ blocks: [{ text }] })
export const bash = (command: string) => ({ blocks: [{ tool: "bash", args: { command } }] })

export const message = (sequence: number, content: string, files: Turn["messages"][number]["files"] = []) => ({
  id: `msg_${sequence}`,
  sequence,
  content,
  files,
  created_at: "2026-11-25T12:00:00.000Z",
})

export const conversation = (number: number, ...messages: Turn["messages"]): Turn => ({ number, mode: "conversation", messages })
export const autonomous = (number: number, ...messages: Turn["messages"]): Turn => ({ number, mode: "autonomous", messages })
