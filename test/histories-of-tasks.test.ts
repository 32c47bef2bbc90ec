import { checkHistories } from "./histories/check.ts"

// Whatever happens to tasks, in whatever order, they are what the model of test/histories says.

checkHistories(false)
