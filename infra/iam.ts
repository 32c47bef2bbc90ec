import * as aws from "@pulumi/aws"
import type { Input, Output, Resource } from "@pulumi/pulumi"
import { jsonStringify } from "@pulumi/pulumi"

/** One thing that a role may do. */
export interface Statement {
  sid: string
  actions: string[]
  resources: Input<string>[]
  condition?: Record<string, Record<string, Input<string> | Input<string>[]>>
}

/** A role that one AWS service takes on, with everything it may do. Returns the role and its policy, for what has to wait for it. */
export function createRole(id: string, args: { name: string; service: string; statements: Statement[] }, parent?: Resource) {
  const role = new aws.iam.Role(id, { name: args.name, assumeRolePolicy: trust(args.service) }, { parent })
  const policy = new aws.iam.RolePolicy(id, { name: args.name, role: role.id, policy: policyOf(args.statements) }, { parent })
  return { role, policy }
}

/** The trust policy of a role that only this AWS service takes on. */
export const trust = (service: string) =>
  JSON.stringify({
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Principal: { Service: service }, Action: "sts:AssumeRole" }],
  })

const policyOf = (statements: Statement[]): Output<string> =>
  jsonStringify({
    Version: "2012-10-17",
    Statement: statements.map(({ sid, actions, resources, condition }) => ({
      Sid: sid,
      Effect: "Allow",
      Action: actions,
      Resource: resources,
      ...(condition && { Condition: condition }),
    })),
  })
