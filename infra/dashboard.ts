import * as aws from "@pulumi/aws"
import { type Input, jsonStringify } from "@pulumi/pulumi"
import { type Lambdas, lambda } from "./lambda.ts"
import type { Machine } from "./machine.ts"
import type { Parts } from "./parts.ts"

interface Shown {
  api: { name: Input<string> }
  machine: Machine
  lambdas: Lambdas
}

type Metric = [namespace: string, name: string, ...dimensions: (Input<string> | object)[]]

/** One page for whoever was woken: requests, tasks, the stream and the table, six hours back. */
export function createDashboard({ home, table }: Parts, { api, machine, lambdas }: Shown) {
  const publish = lambda(lambdas, "reactions/publish").function.name
  const states = (name: string): Metric => ["AWS/States", name, "StateMachineArn", machine.arn, { stat: "Sum" }]
  const gateway = (name: string, stat: string): Metric => ["AWS/ApiGateway", name, "ApiName", api.name, { stat }]
  const rows: [title: string, metrics: Metric[]][] = [
    ["Requests", [gateway("Count", "Sum"), gateway("4XXError", "Sum"), gateway("5XXError", "Sum")]],
    ["Time to answer, in ms", [gateway("Latency", "p50"), gateway("Latency", "p99")]],
    ["Tasks", ["ExecutionsStarted", "ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsTimedOut"].map(states)],
    ["Age of the stream, in ms", [["AWS/Lambda", "IteratorAge", "FunctionName", publish, { stat: "Maximum" }]]],
    [
      "Units of the table",
      ["ConsumedWriteCapacityUnits", "ConsumedReadCapacityUnits"].map((name) => [
        "AWS/DynamoDB",
        name,
        "TableName",
        table.name,
        { stat: "Sum" },
      ]),
    ],
  ]
  return new aws.cloudwatch.Dashboard("stack", {
    dashboardName: home.tenant,
    dashboardBody: jsonStringify({ start: "-PT6H", widgets: rows.map((row, index) => widget(home.region, row, index)) }),
  })
}

const widget = (region: string, [title, metrics]: [string, Metric[]], index: number) => ({
  type: "metric",
  x: (index % 2) * 12,
  y: Math.floor(index / 2) * 6,
  width: 12,
  height: 6,
  properties: { title, region, view: "timeSeries", period: 300, metrics },
})
