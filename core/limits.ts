/** Every limit and default that users can run into, in one place. */

export const limits = {
  /** Names of agents and the like, in characters. */
  name: 200,
  description: 2_000,
  /** Base prompts, instructions and messages, in characters. */
  text: 100_000,
  titleCharacters: 120,
  modelName: 200,
  providerApiKey: 4_000,
  /** JSON of `metadata`, in bytes. */
  metadataBytes: 16 * 1024,
  inputFiles: 50,
  /** Of an agent's version. */
  referenceFiles: 50,
  /** In characters. */
  filename: 255,
  /** One file: what S3 takes in one request. */
  fileBytes: 5 * 1024 ** 3,
  repositories: 20,
  aliasesPerRepository: 20,
  sshKeysPerRepository: 10,
  skills: 20,
  namedOutputs: 100,
  maxRuntimeSeconds: { min: 60, max: 86_400 },
  maxRuntimePerTurnSeconds: { min: 30, max: 86_400 },
  sessionTtlSeconds: { min: 60, max: 2_592_000, default: 86_400 },
  maxTimePerHibernationCycle: { min: 60, max: 7_776_000, default: 604_800 },
  maxAccumulatedTime: { min: 60, max: 25_920_000, default: 2_592_000 },
  /** Body of a request to the API, in bytes. Longer texts and files are uploaded. */
  requestBytes: 4 * 1024 ** 2,
  /** Characters of an Idempotency-Key. */
  idempotencyKey: 255,
  webhooks: 20,
  webhookUrl: 2_048,
  /** How often a task that waits for its account's credit looks for itself whether it is there. */
  pausedSeconds: 2_592_000,
  /** The same for one that waits until its account may run another. */
  queuedSeconds: 3_600,
  /** After so many sleeps, or so many days, another execution takes a task over: Step Functions ends one after a year or 25,000 events. */
  execution: { parks: 500, days: 240 },
  /** Open streams of an account at once. */
  streams: 20,
  /** `searched`: how many items of a list are looked at for one page of those that a filter wants. */
  page: { max: 100, default: 20, logs: 50, messages: 50, events: 50, deliveries: 10, searched: 1_000 },
  /** Lost containers in a row before a task fails. */
  attempts: 3,
  /** How long a container stays for the next message in all the turns of a run. How long after each is a setting of the stack. */
  warmRunSeconds: 3_600,
  /** The agent is stopped when its model has said nothing for so long. */
  modelIdleSeconds: 300,
  /** A larger file is not streamed through the API: the answer redirects to it. */
  streamedDownloadBytes: 100 * 1024 ** 2,
  /** Body of a request to the model gateway that comes with the request itself: a Lambda takes 6 MB, written as JSON. */
  modelRequestBytes: 4 * 1024 ** 2,
  /** The same for one that is stored first. */
  storedModelRequestBytes: 32 * 1024 ** 2,
} as const

/** Prices, in millionths of a US dollar. */
export const prices = {
  /** Container time, billed by the second. */
  microsPerMinute: 50_000,
  /** Held back when a task is dispatched, given back when its real cost is known. */
  reservationMicros: 500_000,
} as const
