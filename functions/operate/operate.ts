import { carryOut, Operation } from "#core/operation.ts"

/** Invoked by name with an operation, for instance `{"operation": "grantCredit", "accountId": "acc_…", "usd": 20, "grantId": "invoice-17"}`. */
export const handler = (input: unknown) => carryOut(Operation.parse(input))
