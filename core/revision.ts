import { AgentEntity } from "./agent.entity.ts"
import * as Agent from "./agent.ts"
import { now } from "./clock.ts"
import { newId } from "./id.ts"
import { Problem } from "./problem.ts"
import * as Request from "./request.ts"
import { transact, untilWritten, type Writes } from "./transaction.ts"
import { VersionEntity, type VersionRow } from "./version.entity.ts"
import * as Version from "./version.ts"

/** What differs in the next version of an agent, and what must be written along with it. */
interface Revision {
  set: Partial<Pick<VersionRow, "repositories" | "referenceFileIds">>
  writes: Writes<string>
}

/**
 * Makes the next version of an agent from its current one. `change` may be asked more than once, when others change the agent at the
 * same moment. Raises `agent_not_found`, `agent_archived`, `conflict`.
 */
export async function revise(
  accountId: string,
  agentId: string,
  change: (before: VersionRow) => Revision | Promise<Revision>,
): Promise<Agent.View> {
  return untilWritten(async () => {
    const agent = await Agent.row(accountId, agentId)
    if (agent.archivedAt) throw new Problem("agent_archived")
    const before = await Version.row(accountId, agentId, agent.versionId)
    // A request that has done its work before would find its own change in the way.
    if (Request.step()?.isCommitted) return Agent.view(agent, before)
    const { set, writes } = await change(before)
    const version = { ...before, ...set, versionId: newId("version"), number: agent.number + 1, createdAt: now().toISOString() }
    const next = { versionId: version.versionId, number: version.number, revision: agent.revision + 1 }
    const refused = await transact({
      ...writes,
      agent: AgentEntity.patch({ accountId, agentId })
        .set(next)
        .where(({ revision }, { eq }) => eq(revision, agent.revision)),
      version: VersionEntity.create(version),
    })
    return refused.length ? undefined : Agent.view({ ...agent, ...next }, version)
  })
}
