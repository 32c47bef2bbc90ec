import { parseArgs } from "node:util"
import { type Command, commands, Misuse } from "./commands.ts"
import { fieldsText } from "./render.ts"
import { carryOut, Refusal } from "./stack.ts"

// `npm run dormouse -- …`: what an operator does with a stack, on this machine or in an AWS account.

const usage = `Usage: npm run dormouse -- [options] COMMAND

${Object.values(commands)
  .map(({ usage, means }) => `  ${usage}\n      ${means}`)
  .join("\n")}

Which stack:
  --tenant NAME    the first part of its names (dormouse); AWS's own variables say which account and region
  --local          the one that npm start runs on this machine
  --data DIR       its data folder (.dormouse)
  --aws-port N     its port of AWS's protocols (4566)

  --json           the answer as JSON
`

const options = {
  tenant: { type: "string", default: "dormouse" },
  local: { type: "boolean", default: false },
  data: { type: "string", default: ".dormouse" },
  "aws-port": { type: "string", default: "4566" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
  name: { type: "string" },
  email: { type: "string" },
  id: { type: "string" },
  account: { type: "string" },
  unlimited: { type: "boolean" },
  confirm: { type: "string" },
} as const

async function main(args: string[]): Promise<string> {
  const { values, positionals } = parse(args)
  const [noun = "", verb = "", ...rest] = positionals
  if (values.help || !noun) return usage
  const command = commands[`${noun} ${verb}`]
  if (!command) throw new Misuse(`There is no command ${noun} ${verb}`.trim())
  const surplus = rest[wordsOf(command)]
  if (surplus !== undefined) throw new Misuse(`${surplus} is one word too many`)
  const { tenant, local, data, json } = values
  const target = { tenant, local: local ? { data, awsPort: portOf(values["aws-port"]) } : undefined }
  let operation: object | undefined = command.operation(rest, values)
  let answer: unknown
  while (operation) {
    answer = await carryOut(target, operation)
    operation = command.next?.(operation, answer as object)
  }
  if (json) return JSON.stringify(answer, null, 2)
  // A stack of an earlier version may answer nothing.
  return (answer === null ? fieldsText : (command.text ?? fieldsText))(answer as never)
}

/** How many words follow the command's own two, options apart. */
const wordsOf = ({ usage }: Command) => usage.replace(/ \[?--.*/, "").split(" ").length - 2

function portOf(text: string): number {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port < 1 || port > 65_535) throw new Misuse(`--aws-port is a port from 1 to 65535, not ${text}`)
  return port
}

function parse(args: string[]) {
  try {
    return parseArgs({ args, options, allowPositionals: true })
  } catch (error) {
    // Node goes on with a hint at words that begin with a dash, which no command has but a sum.
    throw new Misuse(error instanceof Error ? error.message.split(/\. |\n/, 1)[0]! : String(error))
  }
}

/** On this machine AWS is found by its port. */
const hintFor = (error: unknown) =>
  String(error).includes("ECONNREFUSED")
    ? "\nDoes it run? --aws-port says at which port of AWS's protocols, as npm start prints it."
    : ""

try {
  console.log(await main(process.argv.slice(2)))
} catch (error) {
  if (error instanceof Misuse) console.error(`${error.message}\nWhat there is: npm run dormouse -- --help`)
  else console.error(error instanceof Refusal ? error.message : `The stack cannot be reached: ${error}${hintFor(error)}`)
  process.exitCode = error instanceof Misuse ? 2 : 1
}
