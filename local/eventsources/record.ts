/** What the streams API says of one change. Values are in DynamoDB's own notation. */
export interface StreamRecord extends Record<string, unknown> {
  eventID: string
  eventName: "INSERT" | "MODIFY" | "REMOVE"
  eventVersion: string
  eventSource: string
  awsRegion: string
  dynamodb: {
    Keys: Record<string, unknown>
    NewImage?: Record<string, unknown>
    OldImage?: Record<string, unknown>
    SequenceNumber: string
    /** Seconds since the epoch. */
    ApproximateCreationDateTime: number
  }
  userIdentity?: { Type?: string; PrincipalId?: string; type?: string; principalId?: string }
}

/** A record as Lambda hands it to a function. */
export const toLambda = ({ userIdentity, ...record }: StreamRecord, source: string): Record<string, unknown> => ({
  ...record,
  ...(userIdentity && {
    userIdentity: {
      type: userIdentity.type ?? userIdentity.Type,
      principalId: userIdentity.principalId ?? userIdentity.PrincipalId,
    },
  }),
  eventSourceARN: source,
})

export const sequence = ({ dynamodb }: StreamRecord): string => dynamodb.SequenceNumber

const created = ({ dynamodb }: StreamRecord) => new Date(Number(dynamodb.ApproximateCreationDateTime) * 1000).toISOString()

interface Failure {
  records: StreamRecord[]
  source: string
  shard: string
  functionArn: string
  invocations: number
  requestId: string
  time: Date
}

/** What Lambda writes to an S3 failure destination, with the whole event as `payload`. */
export const toFailure = ({ records, source, shard, functionArn, invocations, requestId, time }: Failure): object => {
  const [first, last] = [records[0]!, records.at(-1)!]
  return {
    requestContext: { requestId, functionArn, condition: "RetryAttemptsExhausted", approximateInvokeCount: invocations },
    responseContext: { statusCode: 200, executedVersion: "$LATEST", functionError: "Unhandled" },
    version: "1.0",
    timestamp: time.toISOString(),
    DDBStreamBatchInfo: {
      shardId: shard,
      startSequenceNumber: sequence(first),
      endSequenceNumber: sequence(last),
      approximateArrivalOfFirstRecord: created(first),
      approximateArrivalOfLastRecord: created(last),
      batchSize: records.length,
      streamArn: source,
    },
    payload: JSON.stringify({ Records: records.map((record) => toLambda(record, source)) }),
  }
}
