import { AwsError, type Caller, type JsonService } from "./service.ts"
import { principal } from "./sts.ts"
import type { Statement, Wiring } from "./wiring.ts"

/** What is known of a request beside its resource: `{"ecs:cluster": "arn:…"}`. */
export type RequestContext = Readonly<Record<string, string>>

type Policies = Pick<Wiring, "roles" | "account">

/**
 * Throws `AccessDeniedException` unless the policies of the caller's role allow the action on every one of the resources. As in AWS,
 * nothing is allowed that no statement and no grant allows, and a statement that denies wins. The operator may do everything.
 */
export function authorize(
  policies: Policies,
  caller: Caller,
  action: string,
  resources: readonly string[],
  context: RequestContext = {},
  grants: JsonService["grants"] = undefined,
) {
  if (!caller.role) return
  const statements = policies.roles[caller.role] ?? []
  for (const resource of resources) {
    const verdict = judge(statements, action, resource, context)
    if (verdict === "unmentioned" && grants?.(caller, action, resource, context)) continue
    if (verdict !== "allowed") throw denied(principal(caller, policies.account), action, resource, verdict)
  }
}

/** Whether statements allow one action on one resource; says too whether nothing allowed it or something denied it. */
function judge(statements: readonly Statement[], action: string, resource: string, context: RequestContext) {
  const matching = statements.filter((statement) => applies(statement, action, resource, context))
  if (matching.some(({ effect }) => effect === "Deny")) return "denied"
  return matching.length > 0 ? "allowed" : "unmentioned"
}

const denied = (user: string, action: string, resource: string, verdict: "denied" | "unmentioned") => {
  const because =
    verdict === "denied"
      ? "with an explicit deny in an identity-based policy"
      : `because no identity-based policy allows the ${action} action`
  return new AwsError(
    "AccessDeniedException",
    `User: ${user} is not authorized to perform: ${action} on resource: ${resource} ${because}`,
  )
}

const applies = ({ actions, resources, condition }: Statement, action: string, resource: string, context: RequestContext) =>
  actions.some((pattern) => like(pattern.toLowerCase(), action.toLowerCase())) &&
  resources.some((pattern) => like(pattern, resource)) &&
  Object.entries(condition ?? {}).every(([operator, keys]) =>
    Object.entries(keys).every(([key, wanted]) => holds(operator, contextValue(context, key), [wanted].flat())),
  )

const contextValue = (context: RequestContext, key: string) =>
  Object.entries(context).find(([known]) => known.toLowerCase() === key.toLowerCase())?.[1]

const equal = (wanted: string, value: string) => wanted === value
const sameWord = (wanted: string, value: string) => wanted.toLowerCase() === value.toLowerCase()

/** An ARN is compared part by part: a wildcard does not reach over a colon, but for the last part. */
const arnLike = (wanted: string, value: string) => {
  const [patterns, parts] = [wanted.split(":"), value.split(":")]
  const tail = (list: string[]) => [...list.slice(0, 5), list.slice(5).join(":")]
  return tail(patterns).every((pattern, at) => like(pattern, tail(parts)[at] ?? ""))
}

const operators: Record<string, (wanted: string, value: string) => boolean> = {
  StringEquals: equal,
  StringLike: like,
  ArnEquals: arnLike,
  ArnLike: arnLike,
  Bool: sameWord,
}

/** An operator that is not known here, or a key that the request does not have, does not match. */
const holds = (operator: string, value: string | undefined, wanted: readonly string[]) => {
  const compare = operators[operator]
  return compare !== undefined && value !== undefined && wanted.some((each) => compare(each, value))
}

const compiled = new Map<string, RegExp>()

/** `*` stands for any characters, `?` for one. */
function like(pattern: string, value: string): boolean {
  const known = compiled.get(pattern)
  if (known) return known.test(value)
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".")
  const made = new RegExp(`^${source}$`, "s")
  compiled.set(pattern, made)
  return made.test(value)
}
