import type { DatabaseSync } from "node:sqlite"
import { now } from "#core/clock.ts"
import { atomically, openDatabase } from "../database.ts"
import { AwsError, type Caller, type JsonService } from "../service.ts"
import type { RuleWiring, Wiring } from "../wiring.ts"
import { type BusEvent, checkEntries, type NewEvent, type Refusal, readEntry, toEvent } from "./entry.ts"
import { type Delivery, Outbox } from "./outbox.ts"
import { matches, validate } from "./pattern.ts"
import { Schedules } from "./schedules.ts"

interface Options {
  /** File of the database. */
  path: string
  buses: Wiring["buses"]
  /** Invokes a function with an event; rejects when it failed. May be called more than once with the same event. */
  invoke: (functionArn: string, event: unknown) => Promise<void>
  /** Puts an event into a queue as the body of a message; throws when that failed. */
  send: (queueArn: string, body: string) => void
  /** Told of every event that a bus took. */
  onEvent?: (busArn: string, event: BusEvent) => void
  log?: (line: string) => void
}

interface Bus {
  arn: string
  name: string
  region: string
  account: string
  rules: RuleWiring[]
}

type Input = Record<string, unknown>

const busArn = /^arn:aws:events:([^:]+):(\d{12}):event-bus\/(.+)$/
const functionArn = /^arn:aws:lambda:[^:]+:\d{12}:function:/
const queueArn = /^arn:aws:sqs:[^:]+:\d{12}:/
const noAccount = "000000000000"

const readBuses = (buses: Wiring["buses"]): Map<string, Bus> =>
  new Map(
    Object.entries(buses).map(([arn, { name, region, rules }]) => {
      const [, , account = noAccount] = busArn.exec(arn) ?? []
      for (const rule of rules) checkRule(rule)
      return [arn, { arn, name, region, account, rules }]
    }),
  )

const checkRule = ({ name, pattern, targets }: RuleWiring) => {
  if (pattern) validate(pattern)
  const unknown = targets.find(({ arn }) => ![functionArn, busArn, queueArn].some((kind) => kind.test(arn)))
  if (unknown)
    throw new Error(`Rule ${name} has the target ${unknown.arn}. Functions, queues and event buses are what works here.`)
}

const testEventPattern = ({ EventPattern, Event }: Input) => {
  const read = (name: string, text: unknown): Record<string, unknown> => {
    try {
      return JSON.parse(String(text))
    } catch {
      throw new AwsError(name === "Event" ? "ValidationException" : "InvalidEventPatternException", `${name} is not JSON.`)
    }
  }
  const pattern = read("EventPattern", EventPattern)
  const event = read("Event", Event)
  const missing = ["id", "account", "source", "time", "region", "resources", "detail-type"].filter((key) => !(key in event))
  if (missing.length > 0) throw new AwsError("ValidationException", `Event lacks ${missing.join(", ")}.`)
  try {
    validate(pattern)
  } catch (error) {
    throw new AwsError("InvalidEventPatternException", error instanceof Error ? error.message : String(error))
  }
  return { Result: matches(pattern, event) }
}

const ruleView = (bus: Bus, { name, arn, pattern, schedule }: RuleWiring) => ({
  Name: name,
  Arn: arn,
  State: "ENABLED",
  EventBusName: bus.name,
  ...(pattern && { EventPattern: JSON.stringify(pattern) }),
  ...(schedule && { ScheduleExpression: schedule }),
})

/** The rules of all buses that run by time. */
const scheduledRules = (buses: Map<string, Bus>) =>
  [...buses.values()].flatMap((bus) =>
    bus.rules.flatMap((rule) => (rule.schedule ? [{ bus, rule, schedule: rule.schedule }] : [])),
  )

type Operation = (input: Input, caller: Caller) => object

export class EventBridge implements JsonService {
  readonly target = "AWSEvents"
  readonly contentType = "application/x-amz-json-1.1"
  readonly #options: Options
  readonly #buses: Map<string, Bus>
  readonly #account: string
  readonly #db: DatabaseSync
  readonly #outbox: Outbox
  readonly #schedules: Schedules
  readonly #operations: Record<string, Operation> = {
    PutEvents: ({ Entries }, { region }) => this.#putEvents(checkEntries(Entries), region),
    TestEventPattern: testEventPattern,
    DescribeEventBus: ({ Name }, { region }) => {
      const { name, arn } = this.#needBus(Name, region)
      return { Name: name, Arn: arn }
    },
    ListRules: ({ EventBusName, NamePrefix = "" }, { region }) => {
      const bus = this.#needBus(EventBusName, region)
      return { Rules: bus.rules.filter(({ name }) => name.startsWith(String(NamePrefix))).map((rule) => ruleView(bus, rule)) }
    },
  }

  constructor(options: Options) {
    this.#options = options
    this.#buses = readBuses(options.buses)
    this.#account = [...this.#buses.values()][0]?.account ?? noAccount
    this.#db = openDatabase(options.path)
    this.#outbox = new Outbox({
      db: this.#db,
      deliver: (delivery) => this.#deliver(delivery),
      onDead: (delivery, error) => this.#bury(delivery, error),
    })
    this.#schedules = this.#openSchedules()
    this.#outbox.wake()
    this.#schedules.start()
  }

  async call(operation: string, input: Input, caller: Caller): Promise<object> {
    const run = Object.hasOwn(this.#operations, operation) ? this.#operations[operation] : undefined
    if (!run) throw new AwsError("UnknownOperationException", `EventBridge has no operation ${operation} here.`)
    return run(input, caller)
  }

  /** Puts an event on a bus for a service of this machine, which may use the sources `aws.*`; the answer is the event's id. */
  put(arn: string, event: NewEvent): string {
    const bus = this.#needBus(arn, busArn.exec(arn)?.[1] ?? "")
    const made = toEvent(event, bus, now())
    this.#publish([{ bus, event: made }], false)
    return made.id
  }

  /** How many deliveries were given up after a day of tries. */
  deadLetters(): number {
    return this.#outbox.deadLetters()
  }

  /** Ends once every delivery under way has ended. What is still to do is done after the next start. */
  async close(): Promise<void> {
    this.#schedules.close()
    await this.#outbox.close()
    this.#db.close()
  }

  #openSchedules() {
    const scheduled = scheduledRules(this.#buses)
    return new Schedules({
      db: this.#db,
      rules: scheduled.map(({ rule, schedule }) => ({ arn: rule.arn, schedule })),
      fire: (arn, time) => {
        const { bus, rule } = scheduled.find((one) => one.rule.arn === arn)!
        const tick = { source: "aws.events", detailType: "Scheduled Event", detail: {}, resources: [arn] }
        this.#addTargets(rule, toEvent(tick, bus, time), false)
      },
      fired: () => this.#outbox.wake(),
    })
  }

  /** By ARN, or by name in a region. Every region has a default bus, whether rules name it or not. */
  #findBus(name: unknown, region: string): Bus | undefined {
    const wanted = String(name ?? "default")
    const known = this.#buses.get(wanted) ?? [...this.#buses.values()].find((bus) => bus.region === region && bus.name === wanted)
    const arn = `arn:aws:events:${region}:${this.#account}:event-bus/default`
    if (known || (wanted !== "default" && wanted !== arn)) return known
    return { arn, name: "default", region, account: this.#account, rules: [] }
  }

  #needBus(name: unknown, region: string): Bus {
    const bus = this.#findBus(name, region)
    if (!bus) throw new AwsError("ResourceNotFoundException", `Event bus ${String(name)} does not exist.`)
    return bus
  }

  #addTargets(rule: RuleWiring, event: BusEvent, forwarded: boolean) {
    for (const { arn, input } of rule.targets) {
      if (forwarded && busArn.test(arn)) continue
      this.#outbox.add({ rule: rule.arn, target: arn, payload: input ?? JSON.stringify(event), forwarded })
    }
  }

  /** Once this returns, the events are on disk for every target that a rule gives them. */
  #publish(events: { bus: Bus; event: BusEvent }[], forwarded: boolean) {
    atomically(this.#db, () => {
      for (const { bus, event } of events) {
        const matching = bus.rules.filter(({ pattern }) => pattern && matches(pattern, event))
        for (const rule of matching) this.#addTargets(rule, event, forwarded)
      }
    })
    for (const { bus, event } of events) this.#options.onEvent?.(bus.arn, event)
    this.#outbox.wake()
  }

  async #deliver({ target, payload }: Delivery): Promise<void> {
    if (queueArn.test(target)) return this.#options.send(target, payload)
    const [, region] = busArn.exec(target) ?? []
    if (region === undefined) return this.#options.invoke(target, JSON.parse(payload))
    this.#publish([{ bus: this.#needBus(target, region), event: JSON.parse(payload) }], true)
  }

  #bury({ rule, target, payload }: Delivery, error: unknown) {
    const { targets = [] } = [...this.#buses.values()].flatMap(({ rules }) => rules).find(({ arn }) => arn === rule) ?? {}
    const queue = targets.find(({ arn }) => arn === target)?.deadLetterArn
    if (queue) this.#options.send(queue, payload)
    const where = queue ? `, and put it into ${queue}` : ""
    this.#options.log?.(`Gave up the delivery from rule ${rule} to ${target}${where}: ${String(error)}`)
  }

  #putEvents(entries: Input[], region: string) {
    const read = entries.map((entry) => this.#readEntry(entry, region))
    this.#publish(
      read.filter((one) => "event" in one),
      false,
    )
    return {
      FailedEntryCount: read.filter((one) => !("event" in one)).length,
      Entries: read.map((one) => ("event" in one ? { EventId: one.event.id } : one)),
    }
  }

  #readEntry(entry: Input, region: string): Refusal | { bus: Bus; event: BusEvent } {
    const event = readEntry(entry)
    if ("ErrorCode" in event) return event
    const bus = this.#findBus(entry.EventBusName, region)
    if (bus) return { bus, event: toEvent(event, bus, now()) }
    return { ErrorCode: "ResourceNotFoundException", ErrorMessage: `Event bus ${String(entry.EventBusName)} does not exist.` }
  }
}

/**
 * EventBridge of one machine: the buses and rules of the stack, with functions, queues and other buses as targets. What PutEvents
 * has answered is on disk and reaches every matching target at least once, also after a crash; a target that fails is tried again for a
 * day. Throws for a pattern, schedule or target that cannot work.
 */
export const openEventBridge = (options: Options): EventBridge => new EventBridge(options)
