import * as aws from "@pulumi/aws"
import type { Home } from "./home.ts"
import { tenantTag } from "./tags.ts"

/** Says by mail when the month's cost of what carries the tenant's tag is near its limit, or is expected to pass it. */
export const createBudget = ({ tenant, monthlyBudgetUsd, alarmEmail }: Home) =>
  monthlyBudgetUsd &&
  new aws.budgets.Budget("month", {
    name: `${tenant}-month`,
    budgetType: "COST",
    timeUnit: "MONTHLY",
    limitAmount: String(monthlyBudgetUsd),
    limitUnit: "USD",
    costFilters: [{ name: "TagKeyValue", values: [`user:${tenantTag}$${tenant}`] }],
    notifications: [
      { threshold: 80, notificationType: "ACTUAL" },
      { threshold: 100, notificationType: "FORECASTED" },
    ].map((notification) => ({
      ...notification,
      comparisonOperator: "GREATER_THAN",
      thresholdType: "PERCENTAGE",
      subscriberEmailAddresses: [alarmEmail ?? ""],
    })),
  })
