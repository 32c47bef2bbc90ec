/** The stream of a table: what a record holds, and what is none. */
import { type Answer, type Case, get, item, key, N, put, remove, S, transact, txPut, update } from "./case.ts"

/** What the records of the table's stream say, from the first on. */
const records = ({ records: all }: Answer) =>
  all.map(({ eventName, dynamodb: { Keys, OldImage, NewImage } }: Answer) => ({
    eventName,
    sk: Keys.sk.S,
    ...(OldImage && { OldImage }),
    ...(NewImage && { NewImage }),
  }))

const told = (name: string, back: unknown, given: Case["given"], see: Case["see"] = records): Case => ({
  name,
  given,
  send: ["$stream", { from: "TRIM_HORIZON" }],
  see,
  back,
})

export const streams: Case[] = [
  told(
    "an insertion, a change and a removal are records",
    [
      { eventName: "INSERT", sk: "1", NewImage: item("1", { n: N(1) }) },
      { eventName: "MODIFY", sk: "1", OldImage: item("1", { n: N(1) }), NewImage: item("1", { n: N(2) }) },
      { eventName: "REMOVE", sk: "1", OldImage: item("1", { n: N(2) }) },
    ],
    [put("1", { n: N(1) }), update("SET n = :v", { v: N(2) }), remove()],
  ),
  told(
    "a put over an item is a change",
    [
      { eventName: "INSERT", sk: "1", NewImage: item("1", { n: N(1) }) },
      { eventName: "MODIFY", sk: "1", OldImage: item("1", { n: N(1) }), NewImage: item("1", { n: N(2) }) },
    ],
    [put("1", { n: N(1) }), put("1", { n: N(2) })],
  ),
  told(
    "a put of the same item is no record",
    [{ eventName: "INSERT", sk: "1", NewImage: item("1", { n: N(1) }) }],
    [put("1", { n: N(1) }), put("1", { n: N(1) })],
  ),
  told(
    "an update that changes nothing is no record",
    [{ eventName: "INSERT", sk: "1", NewImage: item("1", { n: N(1) }) }],
    [put("1", { n: N(1) }), update("SET n = :v", { v: N(1) })],
  ),
  told("a deletion of nothing is no record", [{ eventName: "INSERT", sk: "1", NewImage: key() }], [remove(), put()]),
  told("a transaction is a record for each change", ["1", "2"], [transact([txPut("1"), txPut("2")])], (answer) =>
    records(answer)
      .map(({ sk }: { sk: string }) => sk)
      .sort(),
  ),
  told(
    "a cancelled transaction is no record",
    [{ eventName: "INSERT", sk: "1", NewImage: key() }],
    [
      put("1"),
      [
        "!TransactWriteItems",
        { TransactItems: [txPut("2"), txPut("1", {}, { ConditionExpression: "attribute_not_exists(pk)" })] },
      ],
    ],
  ),
  told(
    "a batch is a record for each change",
    ["1", "2"],
    [["BatchWriteItem", { RequestItems: { $table: [{ PutRequest: { Item: key("1") } }, { PutRequest: { Item: key("2") } }] } }]],
    (answer) =>
      records(answer)
        .map(({ sk }: { sk: string }) => sk)
        .sort(),
  ),
  told("a read is no record", [{ eventName: "INSERT", sk: "1", NewImage: key() }], [put(), get()]),
  told(
    "a record says where it comes from",
    { eventVersion: "1.1", eventSource: "aws:dynamodb", StreamViewType: "NEW_AND_OLD_IMAGES", SizeBytes: 12 },
    [put()],
    ({
      records: [
        {
          eventVersion,
          eventSource,
          dynamodb: { StreamViewType, SizeBytes },
        },
      ],
    }: Answer) => ({ eventVersion, eventSource, StreamViewType, SizeBytes }),
  ),
  {
    name: "a stream is described",
    send: ["$describe"],
    back: {
      StreamStatus: "ENABLED",
      StreamViewType: "NEW_AND_OLD_IMAGES",
      TableName: "$table",
      KeySchema: [
        { AttributeName: "pk", KeyType: "HASH" },
        { AttributeName: "sk", KeyType: "RANGE" },
      ],
      shards: 1,
    },
  },
  {
    name: "an iterator of the newest begins behind what is there",
    given: [put("1", { s: S("x") })],
    send: ["$stream", { from: "LATEST" }],
    see: records,
    back: [],
  },
]
