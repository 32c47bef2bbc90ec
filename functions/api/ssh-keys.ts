import * as z from "zod"
import * as Page from "#core/page.ts"
import * as SshKey from "#core/ssh-key.ts"
import { route } from "#functions/http/route.ts"
import { serve } from "#functions/http/serve.ts"

export const routes = [
  route(
    "GET /ssh-keys",
    {
      summary: "List SSH keys",
      description: "Newest first.",
      query: z.strictObject(Page.query()),
      returns: [200, SshKey.Listed],
    },
    ({ accountId, query }) => SshKey.list(accountId, query),
  ),
  route(
    "POST /ssh-keys",
    {
      summary: "Make an SSH key",
      description: "An Ed25519 pair made here, of which only the public half is ever shown.",
      body: SshKey.Create,
      returns: [201, SshKey.View],
      problems: ["conflict"],
    },
    ({ accountId, body }) => SshKey.create(accountId, body),
  ),
  route(
    "GET /ssh-keys/{sshKeyId}",
    { summary: "Read an SSH key", returns: [200, SshKey.View], problems: ["ssh_key_not_found"] },
    ({ accountId, path }) => SshKey.get(accountId, path.sshKeyId),
  ),
  route(
    "PATCH /ssh-keys/{sshKeyId}",
    {
      summary: "Change an SSH key",
      description: "Its name and description; the key itself stays what it is.",
      body: SshKey.Update,
      returns: [200, SshKey.View],
      problems: ["ssh_key_not_found"],
    },
    ({ accountId, path, body }) => SshKey.update(accountId, path.sshKeyId, body),
  ),
  route(
    "DELETE /ssh-keys/{sshKeyId}",
    {
      summary: "Delete an SSH key",
      description: "Its private half is gone for good, and the repositories that it opened are without it.",
      returns: [204, null],
      problems: ["ssh_key_not_found", "conflict"],
    },
    ({ accountId, path }) => SshKey.remove(accountId, path.sshKeyId),
  ),
]

export const handler = serve(routes)
