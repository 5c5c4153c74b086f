/** The members of a record, their bounds, and the port to which the gateway hands records. */

/** What the cache of the gateway did with a request, by the number that a record keeps; the first stands for nothing. */
export const CACHE_OUTCOMES = ['', 'hit', 'miss', 'stale', 'bypass'] as const

/**
 * Codes of records for answers of MCP servers that came as they should and report a failure: a tool says that it has failed, or the
 * server answers with a JSON-RPC error. No caller gets them as the code of a problem.
 */
export const ANSWER_CODES = ['tool_error', 'origin_error'] as const
export type AnswerCode = (typeof ANSWER_CODES)[number]

/** Index into `RECORD_SURFACES`. */
export type SurfaceNumber = 0 | 1 | 2

/**
 * What the gateway hands over for each request: fixed shape, numbers and short strings, no objects. The batch
 * copies it, so the giver may reuse it. Missing strings are empty, missing numbers -1.
 */
export interface RecordFields {
  id: string
  /** Wall clock, milliseconds since the epoch. */
  timeMs: number
  surface: SurfaceNumber
  method: string
  path: string
  route: string
  collection: string
  proxy: string
  virtualMcp: string
  origin: string
  client: string
  profile: string
  credentialId: string
  /** Id of the user for whom the call was made. */
  user: string
  /** `sub` of a token that another issuer signed, or the name in a client certificate. */
  subject: string
  /** OAuth client that the caller's token was issued to, as its issuer says. */
  agentHost: string
  ip: string
  status: number
  code: string
  reason: string
  stoppedAt: number
  /** Name of that check. */
  check: string
  durationMs: number
  upstreamMs: number
  bytesIn: number
  bytesOut: number
  upstreamStatus: number
  /** URL of the server that was asked last. */
  upstreamTarget: string
  /** How often another server was asked. */
  retries: number
  /** Index into {@link CACHE_OUTCOMES}. */
  cache: number
  /** `policy/limit` that had the fewest requests left. */
  nearestLimit: string
  /** 32 hexadecimal digits, or empty. */
  traceId: string
  /** What the nodes of a workflow did, as `workflow-trace.ts` reads it; empty where none ran. */
  workflowTrace: string
  aborted: boolean
  /** Of the JSON of the arguments of a call at a virtual MCP, in UTF-8; else 0. */
  argumentBytes: number
  /** Requests that the record stands for. */
  count: number
  /** What guardrails found: JSON of `GuardrailHit[]`, or empty. */
  guardrailHits: string
  /** What agents say of themselves, and what is known of requests that are made again; null on the plain path. */
  agent: RecordAgent | null
}

/** Characters that are kept of the reason of a call. */
export const CALL_REASON_CHARS_MAX = 500

/** Ends a text that was cut. It counts within the bound. */
export const CUT_MARK = '…'

/** Characters (UTF-16 units) that a record keeps of each text. docs/records.md shows them. */
export const RECORD_CHARS_MAX = {
  id: 128,
  method: 32,
  path: 2048,
  ip: 64,
  reason: 1000,
  agentField: 256,
  /** JSON: lines that do not fit are left out. */
  guardrailHits: 4000,
  /** Every text that many records share: ids, route, code, check, subject, agent host, upstream target, limit. */
  word: 512,
  /** Its length is one character of the text of a batch: a code below the surrogates. */
  workflowTrace: 0xd7ff,
} as const

export interface RecordAgent {
  name: string
  version: string
  sessionId: string
  conversationId: string
  mcpMethod: string
  /** At `/mcp` the tool, at a virtual MCP the capability: its public name or URI. */
  tool: string
  mcpRequestId: string
  /** At most {@link CALL_REASON_CHARS_MAX}. */
  reason: string
  /** Of a request that was made again: the id of the one before, and the surface by which it was asked for. */
  replayOf?: string
  replayedOver?: string
}

/** One line of what guardrails found. It holds no value. */
export interface GuardrailHit {
  /** Id. */
  readonly rule: string
  readonly detector: string
  readonly leg: string
  /** The action of the rule; `failed` for contents that it could not look at. */
  readonly action: string
  /** The rule only observes: nothing was done. */
  readonly observed: boolean
  readonly count: number
}

/** Takes records and never waits: bounded, and what does not fit is counted as dropped. */
export interface RecordQueue {
  add(fields: RecordFields): void
  /** Records that were dropped because the recorder did not keep up. */
  readonly dropped: number
  /** Hands over what is gathered now; called by a timer and on drain. */
  flush(): void
}

/** The text, or its beginning and {@link CUT_MARK} where it is longer than `max` UTF-16 units. */
export function cutText(text: string, max: number): string {
  return text.length <= max ? text : text.slice(0, max - CUT_MARK.length) + CUT_MARK
}

/** True for a record whose caller has proved who it is, or whose replay an administrator asked for. */
export function isProved({ credentialId, agent }: RecordFields): boolean {
  return credentialId !== '' || agent?.replayOf !== undefined
}
