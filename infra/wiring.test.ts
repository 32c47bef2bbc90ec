import { readFileSync } from "node:fs"
import { beforeAll, describe, expect, expectTypeOf, test } from "vitest"
import type { Wiring as Read } from "../local/wiring.ts"
import { evaluateLocal } from "./local-stack.ts"
import { sampleSources } from "./sample.ts"
import type { Wiring } from "./wiring/types.ts"
import { wiringOf } from "./wiring.ts"

describe("wiring.json", () => {
  test("is what the program says today; `npm run wiring` writes it", async () => {
    const written = readFileSync(`${import.meta.dirname}/wiring.json`, "utf8")
    expect(JSON.parse(written)).toEqual(wiringOf(await evaluateLocal()))
  })
})

describe("the wiring", () => {
  let wiring: Wiring
  beforeAll(async () => {
    wiring = wiringOf(await evaluateLocal(sampleSources))
  })

  test("has the shape that the embedded AWS reads", () => {
    expectTypeOf(wiring).toEqualTypeOf<Read>()
  })

  test("leaves open the addresses that differ from machine to machine, and nothing else", () => {
    const placeholders = JSON.stringify(wiring).match(/\{\{\w+\}\}/g)

    expect(new Set(placeholders)).toEqual(
      new Set(["{{API_URL}}", "{{ANTHROPIC_BASE_URL}}", "{{OPENAI_BASE_URL}}", "{{OPENROUTER_BASE_URL}}"]),
    )
    expect(wiring.functions["dormouse-lifecycle-run"]!.environment.API_URL).toBe("{{API_URL}}")
    expect(JSON.stringify(wiring)).not.toContain("execute-api")
  })

  test("gives a function exactly its environment, and its bundle", () => {
    expect(wiring.functions["dormouse-reactions-publish"]).toEqual({
      arn: "arn:aws:lambda:us-east-1:000000000000:function:dormouse-reactions-publish",
      bundle: "functions/reactions/publish",
      handler: "index.handler",
      environment: {
        TABLE_NAME: "dormouse",
        BUS_NAME: "dormouse-domain",
        DELIVERY_QUEUE_URL: "https://sqs.us-east-1.amazonaws.com/000000000000/dormouse-deliveries",
        STATE_MACHINE_ARN: "arn:aws:states:us-east-1:000000000000:stateMachine:dormouse-task",
        ACCOUNT_QUOTAS: JSON.stringify({
          runningTasks: 100,
          fileStorageBytes: 10 * 1024 ** 3,
          checkpointStorageBytes: 20 * 1024 ** 3,
        }),
      },
      timeoutSeconds: 60,
      memoryMb: 512,
      role: "arn:aws:iam::000000000000:role/dormouse-reactions-publish",
    })
  })

  test("gives every function a role whose permissions are known", () => {
    for (const { role } of Object.values(wiring.functions)) expect(wiring.roles[role]?.length).toBeGreaterThan(0)
  })

  test("names the function, the mode and the time of every route", () => {
    expect(wiring.api.routes).toContainEqual({
      method: "ANY",
      path: "/agent/models/{provider}/{proxy+}",
      function: "dormouse-gateway-models",
      streaming: true,
      timeoutSeconds: 900,
    })
  })

  test("says what the gateway answers by itself", () => {
    const { MISSING_AUTHENTICATION_TOKEN: unknownRoute, THROTTLED: flood } = wiring.api.gatewayResponses

    expect(unknownRoute).toMatchObject({ status: 404, headers: { "x-request-id": "$context.requestId" } })
    expect(JSON.parse(unknownRoute!.body)).toMatchObject({ error: { code: "not_found", requestId: "$context.requestId" } })
    expect(flood).toMatchObject({ status: 429, headers: { "retry-after": "1" } })
  })

  test("describes the table as CreateTable takes it", () => {
    expect(wiring.tables).toMatchObject([
      {
        name: "dormouse",
        ttlAttribute: "expiresAt",
        create: {
          KeySchema: [
            { AttributeName: "pk", KeyType: "HASH" },
            { AttributeName: "sk", KeyType: "RANGE" },
          ],
          GlobalSecondaryIndexes: ["tasksByAgent", "tasksByAccount", "ongoingTasks", "deliveriesByWebhook", "sweep"].map(
            (IndexName) => ({ IndexName }),
          ),
          StreamSpecification: { StreamEnabled: true, StreamViewType: "NEW_IMAGE" },
        },
      },
    ])
  })

  test("brings what stops in the EU to the function at home, over the bus at home", () => {
    const bus = (region: string) => `arn:aws:events:${region}:000000000000:event-bus/default`
    const targets = (region: string) =>
      wiring.buses[bus(region)]?.rules.filter(({ name }) => name === "dormouse-stopped").flatMap((rule) => rule.targets)

    const dead = (name: string) => wiring.queues.find((queue) => queue.name === `dormouse-${name}`)!.arn
    expect(targets("eu-central-1")).toEqual([{ arn: bus("us-east-1"), deadLetterArn: dead("undelivered-eu-central-1") }])
    expect(targets("us-east-1")).toEqual([
      { arn: wiring.functions["dormouse-reactions-stopped"]!.arn, deadLetterArn: dead("undelivered") },
    ])
  })

  test("feeds new events and signals of the table, deliveries that were asked for and credit, to their one consumer", () => {
    const ofStream = wiring.eventSources.filter(({ source }) => source.startsWith("arn:aws:dynamodb:"))
    expect(ofStream).toMatchObject([
      {
        source: wiring.tables[0]?.streamArn,
        function: "dormouse-reactions-publish",
        filters: [
          { eventName: ["INSERT"], dynamodb: { NewImage: { __edb_e__: { S: ["event", "signal"] } } } },
          { eventName: ["INSERT"], dynamodb: { NewImage: { __edb_e__: { S: ["delivery"] }, isRequested: { BOOL: [true] } } } },
          { eventName: ["INSERT"], dynamodb: { NewImage: { __edb_e__: { S: ["ledger"] }, kind: { S: ["credit"] } } } },
        ],
        failureDestinationArn: wiring.buckets[0]?.arn,
      },
    ])
  })

  test("takes events from the bus to their queue, new tasks to be named, and messages of queues to their functions", () => {
    const [events, deliveries, slow] = ["events", "deliveries", "slow-deliveries"].map((name) => {
      const queue = wiring.queues.find((one) => one.name === `dormouse-${name}`)!
      expect(queue).toMatchObject({ visibilitySeconds: 360, deadLetter: { arn: `${queue.arn}-dead`, maxReceives: 5 } })
      return queue.arn
    })
    const { rules } = Object.values(wiring.buses).find(({ name }) => name === "dormouse-domain")!
    expect(rules).toMatchObject([
      {
        pattern: { source: ["dormouse.tasks"], "detail-type": ["task.created"] },
        targets: [{ arn: wiring.functions["dormouse-reactions-title"]!.arn }],
      },
      { pattern: { source: ["dormouse.tasks"] }, targets: [{ arn: events }] },
    ])
    const functions = wiring.eventSources.map((one) => [one.source, one.function, one.partialFailures])
    expect(functions).toEqual(
      expect.arrayContaining([
        [events, "dormouse-reactions-fanout", true],
        [deliveries, "dormouse-reactions-deliver", true],
        [slow, "dormouse-reactions-deliver", true],
      ]),
    )
    expect(wiring.scheduleGroups).toEqual(["dormouse-deliveries"])
  })
})
