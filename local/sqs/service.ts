import type { DatabaseSync } from "node:sqlite"
import { after, millis } from "#core/clock.ts"
import { openDatabase } from "../database.ts"
import { AwsError, type Caller, type JsonService } from "../service.ts"
import type { QueueWiring, Wiring } from "../wiring.ts"
import { type MessageAttribute, md5, md5OfAttributes, read, readBatch, readMessages, schemas } from "./input.ts"
import { pick, view } from "./message.ts"
import { type Message, type NewMessage, Store } from "./store.ts"

interface Options {
  /** File of the database. */
  path: string
  queues: Wiring["queues"]
  log?: (line: string) => void
}

type Input = Record<string, unknown>
type Operation = (queue: QueueWiring, input: Input) => object | Promise<object>

export class Sqs implements JsonService {
  readonly target = "AmazonSQS"
  readonly contentType = "application/x-amz-json-1.0"
  readonly #options: Options
  readonly #db: DatabaseSync
  readonly #store: Store
  readonly #waiting = new Map<string, Set<() => void>>()
  #closed: boolean = false
  readonly #operations: Record<string, Operation> = {
    SendMessage: (queue, input) => this.#send(queue, input),
    SendMessageBatch: (queue, { Entries }) => this.#sendBatch(queue, Entries),
    ReceiveMessage: (queue, input) => this.#receive(queue, input),
    DeleteMessage: (queue, input) => this.#delete(queue, read(schemas.delete, input)),
    DeleteMessageBatch: (queue, { Entries }) =>
      each(readBatch(schemas.deleteBatch, Entries), (entry) => this.#delete(queue, entry)),
    ChangeMessageVisibility: (queue, input) => this.#changeVisibility(queue, read(schemas.visibility, input)),
    ChangeMessageVisibilityBatch: (queue, { Entries }) =>
      each(readBatch(schemas.visibilityBatch, Entries), (entry) => this.#changeVisibility(queue, entry)),
    GetQueueAttributes: (queue, input) => this.#attributes(queue, read(schemas.attributes, input).AttributeNames),
    PurgeQueue: (queue) => {
      this.#store.purge(queue)
      return {}
    },
  }

  constructor(options: Options) {
    this.#options = options
    this.#db = openDatabase(options.path)
    this.#store = new Store(this.#db)
  }

  async call(operation: string, input: Input, { region }: Caller): Promise<object> {
    if (operation === "GetQueueUrl") return { QueueUrl: urlOf(this.#named(input.QueueName, region)) }
    if (operation === "ListQueues") return this.#list(region, String(input.QueueNamePrefix ?? ""))
    const run = Object.hasOwn(this.#operations, operation) ? this.#operations[operation] : undefined
    if (!run) throw new AwsError("UnknownOperationException", `SQS has no operation ${operation} here.`)
    return run(this.#named(String(input.QueueUrl).split("/").at(-1), region), input)
  }

  /** Puts messages into a queue for a service of this machine; once this returns, they are on disk. */
  send(arn: string, ...messages: NewMessage[]) {
    const queue = this.queue(arn)
    const ids = this.#store.add(queue, messages)
    this.#wake(queue)
    return ids
  }

  /** Takes up to `most` messages, waiting for the first for as long as it takes unless the signal aborts. */
  async take(arn: string, most: number, signal: AbortSignal): Promise<Message[]> {
    const queue = this.queue(arn)
    while (!signal.aborted) {
      const taken = this.#take(queue, most, queue.visibilitySeconds)
      if (taken.length > 0) return taken
      await this.#untilWoken(queue, Number.POSITIVE_INFINITY, signal)
    }
    return []
  }

  /** Deletes a message that was taken. */
  done(arn: string, { receipt }: Message) {
    this.#store.remove(this.queue(arn), receipt ?? "")
  }

  /** The queue of an ARN. */
  queue(arn: string): QueueWiring {
    const queue = this.#options.queues.find((one) => one.arn === arn)
    if (!queue) throw new AwsError("QueueDoesNotExist", `The queue ${arn} does not exist.`)
    return queue
  }

  /** How many messages a queue holds that nobody works at. */
  visible(arn: string): number {
    return this.#store.counts(this.queue(arn)).visible
  }

  /** Whoever waits for a message is told that there is none. */
  close() {
    this.#closed = true
    for (const wakers of this.#waiting.values()) for (const wake of wakers) wake()
    this.#db.close()
  }

  #named(name: unknown, region: string): QueueWiring {
    const queue = this.#options.queues.find((one) => one.name === name && one.region === region)
    if (!queue) throw new AwsError("QueueDoesNotExist", "The specified queue does not exist.")
    return queue
  }

  #list(region: string, prefix: string) {
    const found = this.#options.queues.filter((queue) => queue.region === region && queue.name.startsWith(prefix))
    return { QueueUrls: found.map(urlOf) }
  }

  #send(queue: QueueWiring, input: Input) {
    const sent = read(schemas.send, input)
    const [MessageId] = this.send(queue.arn, ...readMessages([sent]))
    return { MessageId, ...sums(sent) }
  }

  #sendBatch(queue: QueueWiring, entries: unknown) {
    const sent = readBatch(schemas.sendBatch, entries)
    const ids = this.send(queue.arn, ...readMessages(sent))
    return { Successful: sent.map((one, i) => ({ Id: one.Id, MessageId: ids[i], ...sums(one) })), Failed: [] }
  }

  async #receive(queue: QueueWiring, input: Input) {
    const wanted = read(schemas.receive, input)
    const { MaxNumberOfMessages: most, VisibilityTimeout = queue.visibilitySeconds } = wanted
    const until = millis() + (wanted.WaitTimeSeconds ?? queue.waitSeconds) * 1000
    while (!this.#closed) {
      const taken = this.#take(queue, most, VisibilityTimeout)
      if (taken.length > 0) return { Messages: taken.map((message) => view(message, wanted)) }
      if (millis() >= until) break
      await this.#untilWoken(queue, until)
    }
    return {}
  }

  #take(queue: QueueWiring, most: number, visibilitySeconds: number): Message[] {
    const { taken, buried } = this.#store.take(queue, most, visibilitySeconds)
    for (const id of buried) {
      this.#options.log?.(`Message ${id} of queue ${queue.name} was received too often and is in ${queue.deadLetter?.arn} now`)
    }
    if (buried.length > 0) this.#wake(this.queue(queue.deadLetter!.arn))
    return taken
  }

  #delete(queue: QueueWiring, { ReceiptHandle }: { ReceiptHandle: string }) {
    checkReceipt(ReceiptHandle)
    this.#store.remove(queue, ReceiptHandle)
    return {}
  }

  #changeVisibility(
    queue: QueueWiring,
    { ReceiptHandle, VisibilityTimeout }: { ReceiptHandle: string; VisibilityTimeout: number },
  ) {
    checkReceipt(ReceiptHandle)
    if (!this.#store.hide(queue, ReceiptHandle, VisibilityTimeout)) {
      throw new AwsError("MessageNotInflight", "The message referred to isn't in flight.")
    }
    this.#wake(queue)
    return {}
  }

  #attributes(queue: QueueWiring, names: string[]) {
    const { visible, inFlight, delayed } = this.#store.counts(queue)
    const all: Record<string, string | undefined> = {
      QueueArn: queue.arn,
      ApproximateNumberOfMessages: String(visible),
      ApproximateNumberOfMessagesNotVisible: String(inFlight),
      ApproximateNumberOfMessagesDelayed: String(delayed),
      VisibilityTimeout: String(queue.visibilitySeconds),
      DelaySeconds: String(queue.delaySeconds),
      MessageRetentionPeriod: String(queue.retentionSeconds),
      ReceiveMessageWaitTimeSeconds: String(queue.waitSeconds),
      RedrivePolicy:
        queue.deadLetter &&
        JSON.stringify({ deadLetterTargetArn: queue.deadLetter.arn, maxReceiveCount: queue.deadLetter.maxReceives }),
    }
    const unknown = names.find((name) => name !== "All" && !Object.hasOwn(all, name))
    if (unknown) throw new AwsError("InvalidAttributeName", `Unknown Attribute ${unknown}.`)
    return { Attributes: pick(all, names) }
  }

  #wake({ name }: QueueWiring) {
    const wakers = this.#waiting.get(name)
    this.#waiting.delete(name)
    for (const wake of wakers ?? []) wake()
  }

  /** Resolves when there may be something new in a queue, or it is `until`. */
  #untilWoken(queue: QueueWiring, until: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wakers = this.#waiting.get(queue.name) ?? new Set()
      const due = Math.min(until, this.#store.nextVisible(queue) ?? Number.POSITIVE_INFINITY)
      const cancel = Number.isFinite(due) ? after(due - millis(), () => wake()) : () => undefined
      const wake = () => {
        cancel()
        wakers.delete(wake)
        signal?.removeEventListener("abort", wake)
        resolve()
      }
      signal?.addEventListener("abort", wake)
      this.#waiting.set(queue.name, wakers.add(wake))
    })
  }
}

const urlOf = ({ name, arn, region }: QueueWiring) => `https://sqs.${region}.amazonaws.com/${arn.split(":")[4]}/${name}`

const checkReceipt = (handle: string) => {
  if (/^[\da-f-]{36}$/.test(handle)) return
  throw new AwsError("ReceiptHandleIsInvalid", `The input receipt handle "${handle}" is not a valid receipt handle.`)
}

/** Carries out each entry of a batch by itself: one that fails keeps no other from succeeding. */
const each = <Entry extends { Id: string }>(entries: Entry[], run: (entry: Entry) => object) => {
  const outcomes = entries.map((entry) => {
    try {
      run(entry)
      return { Id: entry.Id }
    } catch (error) {
      if (!(error instanceof AwsError)) throw error
      return { Id: entry.Id, Code: error.code, Message: error.message, SenderFault: true }
    }
  })
  return { Successful: outcomes.filter((one) => !("Code" in one)), Failed: outcomes.filter((one) => "Code" in one) }
}

const sums = ({
  MessageBody,
  MessageAttributes,
}: {
  MessageBody: string
  MessageAttributes?: Record<string, MessageAttribute>
}) => ({
  MD5OfMessageBody: md5(MessageBody),
  ...(MessageAttributes && { MD5OfMessageAttributes: md5OfAttributes(MessageAttributes) }),
})

/**
 * SQS of one machine: the stack's standard queues, on disk before SendMessage answers. A message that was received and not deleted
 * comes back after its visibility timeout, and goes to the dead-letter queue once it was received too often.
 */
export const openSqs = (options: Options): Sqs => new Sqs(options)
