import { type ChildProcess, spawn } from "node:child_process"
import { connect, createServer } from "node:net"
import { constants } from "node:os"

// The first process of a container without a network: it offers on loopback ports what sockets of this machine lead to, and runs the
// container's command. `doorway.ts 3000=/run/dormouse/api.sock … -- command`. It is shown to the container as it stands, so it may
// import nothing of ours.

const separator = process.argv.indexOf("--")
const doors = process.argv.slice(2, separator).map((door) => door.split("=") as [port: string, socket: string])
const [program = "", ...words] = process.argv.slice(separator + 1)

const open = ([port, socket]: [string, string]) =>
  new Promise<void>((resolve, reject) => {
    const server = createServer((inside) => {
      const outside = connect(socket)
      inside.pipe(outside).pipe(inside)
      // Whichever end is gone, the other has nobody to speak to.
      inside.on("error", () => outside.destroy())
      outside.on("error", () => inside.destroy())
    })
    server.once("error", reject)
    server.listen(Number(port), "127.0.0.1", resolve)
  })

let child: ChildProcess | undefined
let isStopped = false
// To the first process of a container no signal means anything that it does not ask for itself.
process.on("SIGTERM", () => {
  isStopped = true
  child?.kill("SIGTERM")
})

await Promise.all(doors.map(open))
child = spawn(program, words, { stdio: "inherit" })
if (isStopped) child.kill("SIGTERM")
child.once("error", (error) => {
  console.error(error)
  process.exit(127)
})
child.once("exit", (code, signal) => process.exit(code ?? 128 + (signal ? constants.signals[signal] : 0)))
