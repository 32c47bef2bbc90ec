import { createRequire } from "node:module"
import jsonata from "jsonata"
import { every, type Of } from "../graph.ts"
import type { Policy } from "../policies.ts"
import { statementsOfArn } from "../statements.ts"
import { label } from "./names.ts"

type Machine = Of<"sfn/stateMachine:StateMachine">

export const machine: Record<string, Policy> = {
  "every state machine is one that AWS takes": (graph) =>
    every(graph, "sfn/stateMachine:StateMachine").flatMap((machine) =>
      mistakes(machine.inputs.definition).map((mistake) => `${label(machine)}: ${mistake}`),
    ),

  "a state machine may call the functions that it names, and no other": (graph) =>
    every(graph, "sfn/stateMachine:StateMachine").flatMap((machine) => {
      const named = functionsNamedBy(machine)
      const granted = new Set(
        statementsOfArn(graph, machine.inputs.roleArn)
          .filter(({ actions }) => actions.includes("lambda:InvokeFunction"))
          .flatMap(({ resources }) => resources),
      )
      return [
        ...[...named.difference(granted)].map((arn) => `${label(machine)} may not call ${arn}`),
        ...[...granted.difference(named)].map((arn) => `${label(machine)} needs no right to call ${arn}`),
      ]
    }),
}

interface Validation {
  isValid: boolean
  errors: object[]
}

/** The package brings no types. */
const validate = createRequire(import.meta.url)("asl-validator") as (definition: object) => Validation

function mistakes(definition: string): string[] {
  if (/\$\{\w+\}/.test(definition)) return ["a hole of the definition is not filled"]
  const parsed = JSON.parse(definition) as object
  const { isValid, errors } = validate(parsed)
  return [...(isValid ? [] : errors.map((error) => JSON.stringify(error))), ...expressionsIn(parsed).flatMap(compile)]
}

/** Every JSONata expression of a definition, without its `{%` and `%}`. */
const expressionsIn = (value: unknown): string[] => {
  if (typeof value === "string") return /^\{%[\s\S]*%\}$/.test(value) ? [value.slice(2, -2)] : []
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(expressionsIn) : []
}

function compile(expression: string): string[] {
  try {
    jsonata(expression)
    return []
  } catch (error) {
    return [`${expression.trim()}: ${(error as { message: string }).message}`]
  }
}

const functionsNamedBy = ({ inputs }: Machine) =>
  new Set([...inputs.definition.matchAll(/arn:aws:lambda:[\w-]+:\d+:function:[\w-]+/g)].map(([arn]) => arn))
