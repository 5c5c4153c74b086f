import type { Ambient } from '../base/expression/functions/evaluation.ts'
import { jsonWithin } from '../base/json/canonical.ts'
import { type Plain, scalarText } from '../base/json/storable.ts'
import type { RefusalCode, RefusalFacts } from '../base/refusal.ts'
import type { ServiceAddress, ServiceWork } from '../services/port.ts'

/** How one execution of a node ended. */
export interface NodeResult {
  /** The edge handle by which the run leaves the node: one of `handlesOf` in definitions.ts. Empty for the end of the run. */
  readonly handle: string
  /** The values that expressions of later nodes find under the id of the node. */
  readonly outputs: Plain
  /**
   * What `retry` knows it by if what the node has asked says that it failed. Together with `on_error` that is a failure. Absent: it
   * did not fail.
   */
  readonly complaint?: string
}

/** A request that a node makes of the upstream. An absent member is as the caller sent it. */
export interface UpstreamRequest {
  readonly method?: string
  /** Below the path of the server's URL. */
  readonly path?: unknown
  readonly query?: unknown
  readonly headers?: unknown
  readonly body?: unknown
}

/** What one answer of a model has used. Null for what its server does not say. */
export interface UsedTokens {
  /** As the settings of the node name it. */
  readonly model: string
  readonly prompt_tokens: number | null
  readonly completion_tokens: number | null
}

/** A question of a node to a database or a mail server. */
export interface ServiceQuestion {
  readonly to: ServiceAddress
  /** Id; null for a server that asks for none. */
  readonly credential: string | null
  readonly work: ServiceWork
}

/** A request that a node makes of the server in its settings. Nothing of the caller goes along. */
export interface ServerRequest extends UpstreamRequest {
  readonly method: string
  /** Bytes of a response body: a longer one is a failure. */
  readonly bytesMax: number
}

/** A tool of an origin, as the settings of a node name it. */
export interface NodeTool {
  /** Id of the origin. */
  readonly origin: string
  /** Of the tool at the origin. */
  readonly name: string
  /** Whose account the origin sees. */
  readonly account: 'user' | 'shared'
  /** Hash of the tool that may be called; null for any. */
  readonly pin: string | null
}

/** The authenticated caller of a run. */
export interface NodeCaller {
  /** Ids. */
  readonly client: string
  readonly profile: string
  /** `sub` of a proved token; empty where there is none. */
  readonly subject: string
  /** Claims that the profile lists, as text. `lists` has those that are lists. */
  readonly claims: ReadonlyMap<string, string> & { readonly lists?: ReadonlyMap<string, readonly string[]> }
}

/** A rate of a node: the same object for all its executions. */
export interface NodeRate {
  readonly max: number
  /** Sliding window, milliseconds. */
  readonly windowMs: number
}

export interface RateTaken {
  /** False: nothing was counted. */
  readonly isAdmitted: boolean
  readonly remaining: number
  /** Milliseconds until the key may take more. */
  readonly resetMs: number
}

/** Values that a workflow keeps, for all gateway threads. No other workflow reads them. */
export interface NodeValues {
  /** Null for a value that is not there, or no longer. */
  get(key: string): { readonly json: string; readonly isFresh: boolean } | null
  /** False for a value that could not be kept. */
  set(key: string, json: string, times: NodeValueTimes): boolean
  delete(key: string): void
}

interface NodeValueTimes {
  readonly freshMs: number
  /** How long it is kept after that. */
  readonly staleMs: number
}

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** What a node may ask of its run. */
export interface NodeContext {
  /** The clock and chance of expressions. */
  readonly ambient: Ambient
  /** Outputs of the nodes whose edges have led to this one, by id. */
  readonly before: Plain
  /** `request` of the trigger. Its members are read from the request when they are asked for. */
  readonly request: Plain
  readonly caller: NodeCaller
  /**
   * Calls the upstream of the collection, with its credential, its health checks and its timeouts. Resolves with `status`, `headers`
   * and `body`.
   * @throws NodeFailure where no answer came, and for what is no request
   */
  callUpstream(request: UpstreamRequest): Promise<Plain>
  /**
   * Calls the server in the settings of the node, with their credential. An absent `path` is that of the URL; an absent `query`,
   * `headers` or `body` is none. Resolves and throws as {@link callUpstream}.
   */
  callServer(request: ServerRequest): Promise<Plain>
  /**
   * Calls a tool of an origin in the name of the caller. Resolves with `content`, `structured` and `is_error`.
   * @param given its arguments
   * @throws NodeFailure where no result came, and for what cannot be called
   */
  callTool(tool: NodeTool, given: unknown): Promise<Plain>
  /**
   * Calls a function in JavaScript with a value, apart from everything. Resolves with what it gives; both are JSON.
   * @throws NodeFailure for code that fails, takes too much or has to wait too long
   */
  runCode(code: string, input: unknown): Promise<unknown>
  /**
   * Runs a shared workflow, whose trigger gives the request with this body. Resolves with `status`, `headers` and `body` of its
   * response. Its executions count as those of this run.
   * @throws NodeFailure where it fails, or cannot be run
   */
  runWorkflow(id: string, input: unknown): Promise<Plain>
  /**
   * Asks a database or a mail server, in another thread. Resolves with its answer as JSON gives it.
   * @throws NodeFailure where no answer came, and where the credential cannot be used
   */
  askService(question: ServiceQuestion): Promise<unknown>
  /** Counts tokens of a model in the trace of the run and on the metrics page. */
  countTokens(used: UsedTokens): void
  /** Takes `cost` units of a rate for a key, counted over all gateway threads, for this node alone. */
  takeRate(rate: NodeRate, key: string, cost: number): RateTaken | Promise<RateTaken>
  readonly values: NodeValues
  /**
   * Adds a message to the trace of the run, which the request record keeps. Secrets in message and fields are left out.
   * @param fields JSON; left out beyond 2048 characters
   */
  log(level: LogLevel, message: string, fields: Plain): void
  /** Resolves after so many milliseconds; never, if the run ends before. */
  pause(ms: number): Promise<void>
}

/** What callers are told of a failure. */
export interface FailureTold {
  readonly facts?: RefusalFacts
  /** When another call may do better, milliseconds. `retry` waits for it too. */
  readonly retryAfterMs?: number
}

/** What comes with a failure. */
interface FailureMore extends FailureTold {
  /** Of the node, beside `error`, for the handle `error`. */
  readonly outputs?: Plain
}

/** A node could not do its work. */
export class NodeFailure extends Error {
  /** What `retry` and the handle `error` know it by: `timeout`, a status, or a word. */
  readonly kind: string
  /** How a run that ends with it is refused. */
  readonly code: RefusalCode
  /** What the caller of a run that ends with it is told; absent: what the code says. */
  readonly told: FailureTold | undefined
  /** Of the node, beside `error`, for the handle `error`. */
  readonly outputs: Plain | undefined
  constructor(kind: string, message: string, code: RefusalCode = 'workflow_failed', more?: FailureMore) {
    super(message)
    this.kind = kind
    this.code = code
    this.told = more
    this.outputs = more?.outputs
  }
}

/** Executes a linked node. `inputs` are the values of its inputs: their expressions are evaluated. May throw a NodeFailure. */
export type Execute = (inputs: Plain, context: NodeContext) => NodeResult | Promise<NodeResult>

/**
 * How a type of node runs on a gateway thread. The module holds no schema: the definition beside it has parsed the settings
 * when the workflow was saved.
 */
export interface NodeRun {
  /** The name of the definition. */
  readonly name: string
  /**
   * What the node does in a trial that is not live. `runs` is for a node that reaches no server. A node that asks a server does not run, and
   * gives these outputs in place of the answer.
   */
  readonly inTrial: 'runs' | { readonly outputs: Plain }
  /** Runs once all edges that lead to it are settled, or as many as it waits for; other nodes run at the first. */
  readonly joins?: (config: Plain) => JoinRule
  /** Prepares a node of a workflow from its settings, with all defaults filled in: once for each snapshot, never for each run. */
  link(config: Plain): Execute
}

/** What a node waits for. */
export interface JoinRule {
  /** Edges. Edges that no run can take any more do not count for `all`. */
  readonly wait: 'all' | number
  /** From the first edge on, milliseconds. */
  readonly timeoutMs: number
}

/** What is said of a value that {@link hasBytes}. */
export const UNREAD_BODY = 'is or has a body that is neither text nor the JSON that its media type declares'

/**
 * True for a value that is or has a body which was not read. Nodes that judge a value must not pass it on unseen: servers may read it.
 * @param seen Lists and objects that have none: one may stand at many places of a value.
 */
export function hasBytes(value: unknown, seen = new Set<object>()): boolean {
  if (typeof value !== 'object' || value === null || seen.has(value)) return false
  if (value instanceof Uint8Array) return true
  seen.add(value)
  return Object.values(value).some((one) => hasBytes(one, seen))
}

/** A key stands for one caller, order or tenant, not for a document. */
const KEY_CHARS_MAX = 1024

/** The key that a node counts or keeps values by. @throws NodeFailure for what is none */
export function keyOf(given: unknown): string {
  const key = scalarText(given)
  if (key === undefined || key === '' || key.length > KEY_CHARS_MAX)
    throw new NodeFailure('key', `key is no text of 1 to ${KEY_CHARS_MAX} characters`)
  return key
}

/** Where a node asks, from its settings, which the definition has parsed. */
export function placeOf({
  host,
  port,
  tls,
  ca,
  credential,
}: Plain): Pick<ServiceQuestion, 'to' | 'credential'> {
  return {
    to: { host: String(host), port: Number(port), tls: tls === true, ca: typeof ca === 'string' ? ca : null },
    credential: typeof credential === 'string' ? credential : null,
  }
}

/** Bytes of all values that one question carries. */
const VALUES_BYTES_MAX = 1024 * 1024

/** The JSON of an object or a list, which may have one value at many places. @throws NodeFailure for one that is too long */
export function boundJson(value: object): string {
  const json = jsonWithin(value, VALUES_BYTES_MAX)
  if (json === null) throw tooLong()
  return json
}

/** @throws NodeFailure for values that are too long together */
export function boundValues(values: readonly (string | Uint8Array | null)[]): void {
  let bytes = 0
  for (const value of values) {
    if (value !== null) bytes += typeof value === 'string' ? Buffer.byteLength(value) : value.length
    if (bytes > VALUES_BYTES_MAX) throw tooLong()
  }
}

function tooLong(): NodeFailure {
  return new NodeFailure('size', `the values are longer than ${VALUES_BYTES_MAX} bytes`)
}
