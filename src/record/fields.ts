/** The members of a record, their bounds, and the port to which the gateway hands records. */
import type { RefusalCode } from '../base/refusal.ts'
import type { FailureOrigin, OutcomeClass } from '../model/record.ts'

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
  /** What the nodes of a workflow did, as `search.ts` reads it; empty where none ran. */
  workflowTrace: string
  aborted: boolean
  /** The answer is a stream: its duration is no latency. */
  isStream: boolean
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

// Classifies the outcome of a request from its record: how it ended, and where a failure arose.

/** What says how a request ended. */
export type Outcome = Pick<RecordFields, 'status' | 'code' | 'upstreamStatus'>

/** Refusals by rules that somebody configured. */
const POLICY: ReadonlySet<string> = new Set<RefusalCode>([
  'client_inactive',
  'profile_inactive',
  'ip_not_allowed',
  'auth_throttled',
  'collection_not_assigned',
  'endpoint_not_allowed',
  'method_not_allowed',
  'rate_limit_exceeded',
  'quota_exceeded',
  'concurrency_exceeded',
  'graphql_rejected',
  'guardrail_blocked',
  'response_blocked',
  'capability_held',
  'insufficient_scope',
  'permission_denied',
])
const GATEWAY: ReadonlySet<string> = new Set<RefusalCode>([
  'identity_unavailable',
  'idempotency_unavailable',
  'route_unavailable',
  'credential_unavailable',
  'workflow_failed',
  'not_ready',
  'overloaded',
  'internal_error',
  'store_unavailable',
  'records_unavailable',
  'key_file_unusable',
])
const UPSTREAM: ReadonlySet<string> = new Set<RefusalCode>([
  'upstream_unreachable',
  'upstream_invalid_response',
  'upstream_unavailable',
  'upstream_timeout',
  'response_invalid',
])

const ANSWERED: ReadonlySet<string> = new Set(ANSWER_CODES)

/** How a request ended; null when its caller left before an answer. Derived, so that it holds for older records too. */
export function outcomeClassOf({ status, code, upstreamStatus }: Outcome): OutcomeClass | null {
  if (ANSWERED.has(code)) return 'application_error'
  if (code !== '') return UPSTREAM.has(code) ? 'upstream_error' : 'gateway_error'
  if (status === 0) return null
  if (status < 400) return 'success'
  return status >= 500 || upstreamStatus >= 500 ? 'upstream_error' : 'application_error'
}

/** Where a failure arose; null for none. */
export function failureOriginOf(outcome: Outcome): FailureOrigin | null {
  const { code } = outcome
  switch (outcomeClassOf(outcome)) {
    case 'success':
      return null
    case 'application_error':
    case 'upstream_error':
      return 'upstream'
    case 'gateway_error':
      return POLICY.has(code) ? 'policy' : GATEWAY.has(code) ? 'gateway' : 'client'
    case null:
      return 'client'
  }
}

/**
 * The fixed-width part of one record, so that a row costs a few stores and no allocation. Byte offsets; numbers are
 * little-endian as on every platform that Node runs on.
 *
 *  0 f64 timeMs      8 f64 bytesIn       16 f64 bytesOut
 * 24 f32 durationMs 28 f32 upstreamMs (-1 missing)
 * 32 i16 status     34 i16 upstreamStatus (-1 missing)   36 i16 stoppedAt (-1 missing)   38 u16 flags
 * 40 u16 words: route, collection, proxy, client, profile, credentialId, code (index into the words; 0 is empty)
 * 54 u16 path length, 56 reason, 58 agent JSON; 60 u8 id, 61 method, 62 ip (lengths in UTF-16 units)
 * 63 u8 retries (255 missing)
 * 64 u16 words: check, user, subject, agentHost, upstreamTarget, nearestLimit
 * 76 u32 count
 * 80 u16 words: virtualMcp, origin
 * 84 u32 argumentBytes
 *
 * Blocks of earlier releases have rows that end at byte 64 or 80; what stands behind reads as missing there.
 *
 * The text of a row is id, method, path, ip, reason, agent, trace id in this order. With {@link FLAG_RUN}, one character follows
 * whose code is the length of the trace of a workflow, and the trace. Lengths and not separators divide it,
 * so that no text of a caller can move a border.
 */
export const ROW_BYTES = 88
/** Of blocks that earlier releases have written, oldest first. */
export const FIRST_ROW_BYTES = 64
export const SECOND_ROW_BYTES = 80

/** The surface is MCP: `gateway_mcp`, or with {@link FLAG_VIRTUAL_MCP} too `virtual_mcp`. */
export const FLAG_MCP = 1
export const FLAG_ABORTED = 2
/** The text of the row ends with a trace id. */
export const FLAG_TRACE = 4
/** Three bits: what the cache did, as an index into `CACHE_OUTCOMES`. */
export const CACHE_SHIFT = 3
export const CACHE_MASK = 7
export const FLAG_VIRTUAL_MCP = 64
/** The text of the row ends with the trace of a workflow. */
export const FLAG_RUN = 128
export const FLAG_STREAM = 256

/** In the place of a number of retries. */
export const RETRIES_UNKNOWN = 255

/** Characters of a trace id (W3C Trace Context). */
export const TRACE_CHARS = 32

/** Index of each word column, counted in u16 from the start of the row. */
export const WORD_COLUMNS = {
  route: 20,
  collection: 21,
  proxy: 22,
  client: 23,
  profile: 24,
  credentialId: 25,
  code: 26,
  check: 32,
  user: 33,
  subject: 34,
  agentHost: 35,
  upstreamTarget: 36,
  nearestLimit: 37,
  virtualMcp: 40,
  origin: 41,
} as const
export type WordColumn = keyof typeof WORD_COLUMNS

/** Rows of one block at most: fifteen words a row must fit into the 16 bits of a word index. */
export const BLOCK_ROWS_MAX = 4096

/** Typed views of all rows of a block. */
export interface RowViews {
  readonly f64: Float64Array
  readonly f32: Float32Array
  readonly u32: Uint32Array
  readonly i16: Int16Array
  readonly u16: Uint16Array
  readonly u8: Uint8Array
}

/** Views of `rows` rows from `byteOffset` on, which is a multiple of 8. */
export function viewsOf(
  buffer: ArrayBufferLike,
  byteOffset: number,
  rows: number,
  rowBytes = ROW_BYTES,
): RowViews {
  const bytes = rows * rowBytes
  return {
    f64: new Float64Array(buffer, byteOffset, bytes / 8),
    f32: new Float32Array(buffer, byteOffset, bytes / 4),
    u32: new Uint32Array(buffer, byteOffset, bytes / 4),
    i16: new Int16Array(buffer, byteOffset, bytes / 2),
    u16: new Uint16Array(buffer, byteOffset, bytes / 2),
    u8: new Uint8Array(buffer, byteOffset, bytes),
  }
}
