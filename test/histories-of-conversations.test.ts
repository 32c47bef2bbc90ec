import { checkHistories } from "./histories/check.ts"

// Whatever happens to conversations, in whatever order, they are what the model of test/histories says.

checkHistories(true)
