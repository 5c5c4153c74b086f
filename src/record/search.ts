/** Lists records and finds one, in the query thread. */
import { type Clock, toTime } from '../base/clock.ts'
import { idTime } from '../base/ids.ts'
import { refuse } from '../base/refusal.ts'
import type { RequestRecord, WholeRecord } from '../model/record.ts'
import { RECORD_SURFACES } from '../model/resource-types.ts'
import type { WorkflowTrace } from '../model/workflow/trace.ts'
import type { RecordBlock, RecordReader } from '../store/ports/records.ts'
import { readBlock } from './block.ts'
import { compileFilter } from './block-filter.ts'
import { contractFaultOf } from './contract-report.ts'
import {
  CACHE_OUTCOMES,
  failureOriginOf,
  type GuardrailHit,
  outcomeClassOf,
  type RecordFields,
} from './fields.ts'
import type { RecordPage } from './messages.ts'
import type { RecordFilter } from './record-selection.ts'

/** How long one question may read. A list then ends early and its cursor goes on from there. */
const READ_MS = 2000

/** Between the making of a request id and the start of its record; far more than there is, even when clocks are set. */
const ID_MARGIN_MS = 60_000

/** A place in the order of records: by time, then by id. */
interface Place {
  readonly timeMs: number
  readonly id: string
}

interface Found extends Place {
  readonly fields: RecordFields
  readonly environment: string | null
}

/** How records follow one another in one of the two orders. */
interface Order {
  readonly name: RecordFilter['order']
  /** Before all others; its id is before every other of its moment too. */
  readonly start: Place
  /** The time of the block that comes first in the order. */
  edge(block: RecordBlock): number
  isEarlier(oneMs: number, otherMs: number): boolean
  precedes(one: Place, other: Place): boolean
}

const NEWEST: Order = {
  name: 'newest',
  start: { timeMs: Number.POSITIVE_INFINITY, id: '\uffff' },
  edge: ({ maxTimeMs }) => maxTimeMs,
  isEarlier: (one, other) => one > other,
  precedes: (one, other) => one.timeMs > other.timeMs || (one.timeMs === other.timeMs && one.id > other.id),
}

const OLDEST: Order = {
  name: 'oldest',
  start: { timeMs: Number.NEGATIVE_INFINITY, id: '' },
  edge: ({ minTimeMs }) => minTimeMs,
  isEarlier: (one, other) => one < other,
  precedes: (one, other) => one.timeMs < other.timeMs || (one.timeMs === other.timeMs && one.id < other.id),
}

/**
 * Blocks come by their first time in the order, so a page is complete when its last row comes before all that was not
 * read. Requests that began together are ordered by id.
 */
export async function listRecords(
  reader: RecordReader,
  clock: Clock,
  filter: RecordFilter,
): Promise<RecordPage> {
  const { items, next_cursor } = await findRecords(reader, clock, filter)
  return { items: items.map(toRecord), next_cursor }
}

async function findRecords(
  reader: RecordReader,
  clock: Clock,
  filter: RecordFilter,
): Promise<{ readonly items: readonly Found[]; readonly next_cursor: string | null }> {
  const match = compileFilter(filter)
  const order = filter.order === 'oldest' ? OLDEST : NEWEST
  const { edge, isEarlier, precedes } = order
  const after: Place = filter.cursor == null ? order.start : parseCursor(filter.cursor)
  const { fromMs, toMs } = match.range
  const range = {
    ...match.range,
    ...(order === NEWEST
      ? { toMs: Math.min(toMs, after.timeMs) }
      : { fromMs: Math.max(fromMs, after.timeMs) }),
  }
  const deadline = clock.monotonic() + READ_MS
  /** The best rows so far, one more than asked for, to know whether a next page exists. */
  const found: Found[] = []
  const wanted = filter.limit + 1
  let unread: number | null = null
  const isFull = (): boolean => found.length === wanted

  const visit = (block: RecordBlock): boolean => {
    if (isFull() && isEarlier(found.at(-1)!.timeMs, edge(block))) return false
    // Only where the next page begins later in the order than this one did, so that every page gets further.
    if (clock.monotonic() > deadline && isEarlier(after.timeMs, edge(block))) {
      unread = edge(block)
      return false
    }
    const rows = readBlock(block)
    const fits = match.on(rows)
    if (fits === null) return true
    for (let row = rows.count - 1; row >= 0; row--) {
      const timeMs = rows.timeMs(row)
      if (isEarlier(timeMs, after.timeMs) || (isFull() && isEarlier(found.at(-1)!.timeMs, timeMs))) continue
      if (!fits(row)) continue
      const place = { timeMs, id: rows.id(row) }
      if (!precedes(after, place)) continue
      const at = found.findIndex((other) => precedes(place, other))
      if (at === -1 && isFull()) continue
      found.splice(at === -1 ? found.length : at, 0, {
        ...place,
        fields: rows.fields(row),
        environment: block.environment,
      })
      if (found.length > wanted) found.pop()
    }
    return true
  }
  await reader.scan(range, visit, order.name)

  const boundary = unread
  const certain = boundary === null ? found : found.filter(({ timeMs }) => isEarlier(timeMs, boundary))
  const items = certain.slice(0, filter.limit)
  const next =
    certain.length > filter.limit
      ? items.at(-1)!
      : boundary === null
        ? null
        : { timeMs: boundary, id: order.start.id }
  return {
    items,
    next_cursor: next === null ? null : toCursor(next),
  }
}

/** The record of one request; when callers chose the same id several times, the newest. */
export async function getRecord(
  reader: RecordReader,
  clock: Clock,
  id: string,
): Promise<WholeRecord | undefined> {
  const made = idTime(id)
  const around =
    made === undefined ? {} : { from: toTime(made - ID_MARGIN_MS), to: toTime(made + ID_MARGIN_MS) }
  const page = await findRecords(reader, clock, {
    request_id: id,
    order: 'newest',
    limit: 1,
    ...around,
  })
  if (page.items.length === 0 && page.next_cursor !== null)
    throw refuse('records_unavailable', {
      detail: `No record of "${id}" was found in time; list with from, to and request_id instead.`,
    })
  const [found] = page.items
  return found && { ...toRecord(found), workflow_trace: readWorkflowTrace(found.fields.workflowTrace) }
}

function toCursor({ timeMs, id }: Place): string {
  return Buffer.from(`${timeMs} ${id}`).toString('base64url')
}

function parseCursor(cursor: string): Place {
  const text = Buffer.from(cursor, 'base64url').toString()
  const space = text.indexOf(' ')
  const timeMs = Number(text.slice(0, space))
  if (space < 1 || !Number.isFinite(timeMs) || toCursor({ timeMs, id: text.slice(space + 1) }) !== cursor)
    throw refuse('input_invalid', {
      detail: 'The cursor is not one that a list of records returned.',
      errors: [{ pointer: '/cursor', reason: 'send back next_cursor as it came, or leave it out' }],
    })
  return { timeMs, id: text.slice(space + 1) }
}

/** A record as operations show it. */
export function toRecord({ fields, environment }: Pick<Found, 'fields' | 'environment'>): RequestRecord {
  const { agent, upstreamMs, durationMs } = fields
  const fault = contractFaultOf(fields.reason)
  const isOfVirtualMcp = fields.surface === 2
  const tokens = estimatedTokens(fields)
  return {
    id: fields.id,
    time: toTime(fields.timeMs),
    environment,
    surface: RECORD_SURFACES[fields.surface],
    method: fields.method,
    path: fields.path,
    route: fields.route || null,
    collection: fields.collection || null,
    proxy: fields.proxy || null,
    virtual_mcp: fields.virtualMcp || null,
    origin: fields.origin || null,
    client: fields.client || null,
    profile: fields.profile || null,
    credential_id: fields.credentialId || null,
    user: fields.user || null,
    subject: fields.subject || null,
    ip: fields.ip,
    status: fields.status,
    code: fields.code || null,
    reason: fields.reason || null,
    contract_code: fault?.code ?? null,
    contract_pointer: fault?.pointer ?? null,
    contract_faults: fault?.faults ?? null,
    stopped_at: fields.stoppedAt < 0 ? null : fields.stoppedAt,
    check: fields.check || null,
    outcome_class: outcomeClassOf(fields),
    failure_origin: failureOriginOf(fields),
    duration_ms: toMicros(durationMs),
    gateway_ms: toMicros(upstreamMs < 0 ? durationMs : Math.max(0, durationMs - upstreamMs)),
    upstream_ms: upstreamMs < 0 ? null : toMicros(upstreamMs),
    bytes_in: Math.max(0, fields.bytesIn),
    bytes_out: Math.max(0, fields.bytesOut),
    upstream_status: fields.upstreamStatus < 0 ? null : fields.upstreamStatus,
    upstream_target: fields.upstreamTarget || null,
    retries: fields.retries < 0 ? null : fields.retries,
    cache: CACHE_OUTCOMES[fields.cache] || null,
    nearest_limit: fields.nearestLimit || null,
    trace_id: fields.traceId || null,
    aborted: fields.aborted,
    agent_name: agent?.name || null,
    agent_version: agent?.version || null,
    agent_host: fields.agentHost || null,
    session_id: agent?.sessionId || null,
    conversation_id: agent?.conversationId || null,
    mcp_method: agent?.mcpMethod || null,
    tool: isOfVirtualMcp ? null : agent?.tool || null,
    capability: isOfVirtualMcp ? agent?.tool || null : null,
    mcp_request_id: agent?.mcpRequestId || null,
    tokens_in: tokens?.in ?? null,
    tokens_out: tokens?.out ?? null,
    call_reason: agent?.reason || null,
    replay_of: agent?.replayOf || null,
    replayed_over: agent?.replayedOver || null,
    // Written by the gateway of lines of this very type
    guardrail_hits: fields.guardrailHits === '' ? null : (JSON.parse(fields.guardrailHits) as GuardrailHit[]),
    count: fields.count,
  }
}

/** Milliseconds to three decimals, which is what the columns hold. */
function toMicros(ms: number): number {
  return Math.round(ms * 1000) / 1000
}

// Estimates how many tokens a message at a virtual MCP costs the model of the caller. Records have sizes and no bodies, so
// the estimate is made from bytes. It is made when a record is read: gateway threads count no tokens, and old records are
// counted in the same way.

/** UTF-8 bytes of JSON for each token: 2.8 to 4.3 in samples of o200k_base, from rows of short values to schemas. */
const BYTES_PER_TOKEN = 3.5
/** Of JSON-RPC around a result, which no model reads. */
const ENVELOPE_BYTES = 64

export interface TokenEstimate {
  readonly in: number
  readonly out: number
}

/** Null for a request that no MCP message of a virtual MCP was read from. */
export function estimatedTokens({
  surface,
  agent,
  argumentBytes,
  bytesOut,
}: Pick<RecordFields, 'surface' | 'agent' | 'argumentBytes' | 'bytesOut'>): TokenEstimate | null {
  if (surface !== 2 || agent === null) return null
  return { in: tokensOf(argumentBytes), out: tokensOf(bytesOut - ENVELOPE_BYTES) }
}

function tokensOf(bytes: number): number {
  return Math.ceil(Math.max(0, bytes) / BYTES_PER_TOKEN)
}

// Reads the trace of a workflow run from a record.

/** [node, type, start, duration (microseconds), handle, attempts, error, within]; the last two may be missing. */
type StepEntry = [string, string, number, number, string, number, string?, string?]
/** [node, time (microseconds), level, message, fields, within] */
type LogEntry = [
  string,
  number,
  WorkflowTrace['logs'][number]['level'],
  string,
  Record<string, unknown> | null,
  string | null,
]
/** [node, null, model, calls, prompt tokens, completion tokens, within] */
type TokenEntry = [string, null, string, number, number, number, string | null]

/**
 * Reads the trace of a run, which `gateway/workflow/trace.ts` has written: entries in the order in which their nodes have ended, then
 * the number of those that were left off.
 */
export function readWorkflowTrace(text: string): WorkflowTrace | null {
  if (text === '') return null
  const entries = JSON.parse(`[${text}]`) as (StepEntry | LogEntry | TokenEntry | number)[]
  const trace: WorkflowTrace = { nodes: [], logs: [], tokens: [], left_off: 0 }
  for (const entry of entries)
    if (typeof entry === 'number') trace.left_off = entry
    else if (isLog(entry)) {
      const [node, at, level, message, fields, within] = entry
      trace.logs.push({ node, within, time_ms: at / 1000, level, message, fields })
    } else if (isTokens(entry)) {
      const [node, , model, calls, prompt_tokens, completion_tokens, within] = entry
      trace.tokens.push({ node, within, model, calls, prompt_tokens, completion_tokens })
    } else {
      const [node, type, start, duration, handle, attempts, error, within] = entry
      trace.nodes.push({
        node,
        within: within ?? null,
        type,
        start_ms: start / 1000,
        duration_ms: duration / 1000,
        handle: handle || null,
        attempts,
        error: error || null,
      })
    }
  trace.nodes.sort((one, other) => one.start_ms - other.start_ms)
  return trace
}

type Entry = StepEntry | LogEntry | TokenEntry

function isLog(entry: Entry): entry is LogEntry {
  return typeof entry[1] === 'number'
}

function isTokens(entry: Entry): entry is TokenEntry {
  return entry[1] === null
}
