import * as Account from "#core/account.ts"
import { route } from "#functions/http/route.ts"
import { serve } from "#functions/http/serve.ts"

export const routes = [
  route("GET /account", { summary: "Read your account", returns: [200, Account.View] }, ({ accountId }) =>
    Account.get(accountId),
  ),
]

export const handler = serve(routes)
