import { config as providerConfig } from "@pulumi/aws"
import { parse, YAMLParseError } from "yaml"
import { settingNames } from "./configuration.ts"
import { hint, nearestTo } from "./nearest.ts"

/** What the provider is configured with: beside these the module has a function. */
const providerSettings = Object.keys(providerConfig).filter((name) => name !== "requireRegion")

/** The project of Pulumi.yaml: a key without a namespace is one of it. */
const project = "dormouse"

/** What Pulumi reads of a stack's file. */
const parts = ["config", "environment", "secretsprovider", "encryptedkey", "encryptionsalt"]

/**
 * The configuration of a stack's file by full key, as Pulumi would hand it to the program. A key that neither the program, its provider
 * nor Pulumi reads is refused here: the program itself never sees it, and the default would stay where somebody asked for something else.
 */
export function readStackFile(text: string): Record<string, string> {
  const file = parsed(text)
  for (const part of Object.keys(file)) {
    if (!parts.includes(part)) throw new Error(`A stack's file has no part ${part}: ${hint(part, parts)}`)
  }
  if (!isMap(file.config)) throw new Error("The file has no settings: they stand under config, as in Pulumi.sample.yaml")
  const config: Record<string, string> = {}
  for (const [given, value] of Object.entries(file.config)) {
    const key = fullKey(given)
    if (key in config) throw new Error(`The setting ${key} is there twice`)
    if (value === null) throw new Error(`The setting ${key} has no value`)
    config[key] = typeof value === "string" ? value : JSON.stringify(value)
  }
  return config
}

function parsed(text: string): Record<string, unknown> {
  try {
    const file: unknown = parse(text)
    if (isMap(file)) return file
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error
    throw new Error(`The file is no YAML: ${error.message.split(/:?\n/)[0]}`)
  }
  throw new Error("The file has no settings: they stand under config, as in Pulumi.sample.yaml")
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

function fullKey(key: string): string {
  if (!key.includes(":")) return `${project}:${key}`
  const [namespace = "", ...rest] = key.split(":")
  const name = rest.join(":")
  if (namespace === "aws" && !providerSettings.includes(name))
    throw new Error(`Nobody reads ${key}: ${hint(name, providerSettings, (known) => `aws:${known}`)}`)
  if (![project, "aws", "pulumi"].includes(namespace)) throw new Error(`Nobody reads ${key}: ${meant(namespace, name)}`)
  return key
}

function meant(namespace: string, name: string): string {
  const space = nearestTo(namespace, [project, "aws", "pulumi"])
  const known = space === "aws" ? providerSettings : settingNames
  const setting = nearestTo(name, known)
  if (space === "pulumi" || !setting) return `settings begin with ${project}: or aws:`
  return `did you mean ${space ?? project}:${setting}?`
}
