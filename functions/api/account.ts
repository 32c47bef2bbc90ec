import * as Account from "#core/account.ts"
import { route } from "#functions/http/route.ts"
import { serve } from "#functions/http/serve.ts"

export const routes = [
  route("GET /account", { summary: "Read your account", returns: [200, Account.View] }, ({ accountId }) =>
    Account.get(accountId),
  ),
  route(
    "PATCH /account",
    {
      summary: "Change your account",
      description:
        "What is left out stays. A provider's key reaches every task that has none of its own or of its agent's, running ones too.",
      body: Account.Update,
      returns: [200, Account.View],
    },
    ({ accountId, body }) => Account.update(accountId, body),
  ),
]

export const handler = serve(routes)
