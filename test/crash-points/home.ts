import { randomUUID } from "node:crypto"
import * as Account from "#core/account.ts"
import * as Agent from "#core/agent.ts"
import * as Billing from "#core/billing.ts"
import { agentBody } from "#test/make.ts"
import type { World } from "#test/world/world.ts"

/** Where a task lives. */
export interface Home {
  accountId: string
  agentId: string
}

/** An account with credit, and an agent of its own. */
export const newHome = async ({ time }: World): Promise<Home> => {
  const { accountId } = await time.drive(Account.create({ name: null, email: null, billingMode: "standard" }))
  await time.drive(Billing.grant({ accountId, usd: 100, grantId: randomUUID() }))
  const agent = await time.drive(Agent.create(accountId, Agent.Create.parse(agentBody())))
  return { accountId, agentId: agent.id }
}
