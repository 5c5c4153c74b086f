/**
 * Writes the record of a request. Every request at a published API has one, including a request whose head could not
 * be read. Requests to the control plane have audit entries instead; health checks have neither.
 */
import { DOORS } from '../base/doors.ts'
import { traceIdOf } from '../base/ids.ts'
import { PROBLEMS, type RefusalCode } from '../base/refusal.ts'
import type { Tally } from '../guardrails/tally.ts'
import {
  ANSWER_CODES,
  type AnswerCode,
  CACHE_OUTCOMES,
  type GuardrailHit,
  RECORD_CHARS_MAX,
  type RecordAgent,
  type RecordFields,
  type RecordQueue,
  type SurfaceNumber,
} from '../record/fields.ts'
import type { HitLabel, RequestCounts } from '../record/request-counts.ts'
import type { LinkedVirtualMcp } from '../snapshot/linked-types/mcp.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { checkNumber } from './check-names.ts'
import type { Exchange, Identity, RecordWriter } from './exchange.ts'

/**
 * @param remarked gets requests with something that callers are not told, before they are recorded
 * @param counts for the metrics page; null counts nothing
 */
export function createRecordWriter(
  queue: RecordQueue,
  remarked: (exchange: Exchange) => void = () => {},
  counts: RequestCounts | null = null,
): RecordWriter {
  const fields = emptyFields()

  function fill(exchange: Exchange, virtualMcp: LinkedVirtualMcp | null): void {
    const { collection, proxy, identity, outcome } = exchange
    const { client, profile } = identity
    const { capability, through } = exchange
    const isOfCollection = capability === null
    fields.id = exchange.requestId
    fields.timeMs = exchange.now
    fields.surface = exchange.surface
    fields.method = exchange.method
    fields.path = exchange.guard?.recordedPath ?? exchange.path
    fields.route = proxy === null ? '' : proxy.route
    // The route to an origin stands in their place
    fields.collection = collection === null || !isOfCollection ? '' : collection.id
    fields.proxy = proxy === null || !isOfCollection ? '' : proxy.id
    if (isOfCollection) {
      fields.virtualMcp = virtualMcp === null ? '' : virtualMcp.id
      fields.origin = through === null ? '' : through.of.origin.id
      fields.argumentBytes = through === null ? 0 : through.argumentBytes
    } else {
      fields.virtualMcp = capability.virtualMcp
      fields.origin = capability.origin.id
      fields.argumentBytes = capability.argumentBytes
    }
    fields.client = client === null ? '' : client.id
    fields.profile = profile === null ? '' : profile.id
    fields.credentialId = identity.credentialId
    fields.user = exchange.replayed === null ? personOf(identity) : exchange.replayed.user
    fields.subject = identity.subject
    fields.agentHost = identity.agentHost
    fields.ip = exchange.ip
    const { verdict } = exchange
    fields.status = statusOf(exchange)
    fields.code = exchange.code ?? verdict?.code ?? ''
    fields.reason = verdict === null ? reasonOf(exchange) : verdict.reason
    fields.stoppedAt = checkNumber(exchange.check)
    fields.check = exchange.check
    fields.durationMs = Math.max(0, outcome.endedAt - outcome.startedAt)
    fields.upstreamMs = outcome.upstreamAt === 0 ? -1 : Math.max(0, outcome.endedAt - outcome.upstreamAt)
    fields.bytesIn = outcome.bytesIn
    fields.bytesOut = outcome.bytesOut
    fields.upstreamStatus = outcome.upstreamStatus === 0 ? -1 : outcome.upstreamStatus
    fields.upstreamTarget = exchange.askedUrl
    fields.retries = exchange.retries
    fields.cache = exchange.cacheLine === '' ? 0 : cacheOutcomeOf(exchange.cacheLine)
    fields.nearestLimit = exchange.nearestLimit
    fields.traceId = exchange.traceParent === '' ? '' : traceIdOf(exchange.traceParent)
    fields.workflowTrace = exchange.trace === null ? '' : exchange.trace.close(exchange.code)
    fields.aborted = outcome.aborted
    // Over MCP, a call may be answered by events: it is as long as the call
    fields.isStream = exchange.surface === 0 && outcome.isStream
    fields.agent = exchange.agent
    fields.guardrailHits = hitsOf(exchange)
  }

  function add(
    { snapshot }: Exchange,
    collection: Exchange['collection'],
    virtualMcp: LinkedVirtualMcp | null,
  ): void {
    try {
      counts?.add(fields, collection, virtualMcp)
      if (counts !== null && fields.guardrailHits !== '') countHits(counts, fields.guardrailHits, snapshot)
      queue.add(fields)
    } catch {
      // The queue counts what it loses; the caller's answer is on its way already.
    }
  }

  return {
    request(exchange) {
      if (exchange.reason !== '') remarked(exchange)
      countTokens(counts, exchange)
      const virtualMcp = exchange.surface === 2 ? virtualMcpOf(exchange) : null
      fill(exchange, virtualMcp)
      add(exchange, exchange.capability === null ? exchange.collection : null, virtualMcp)
    },
    messages(exchange, messages) {
      // All of them led to calls, which have records of their own
      if (messages.length === 0) return
      const { status } = exchange.outcome
      const virtualMcp = exchange.surface === 2 ? virtualMcpOf(exchange) : null
      fill(exchange, virtualMcp)
      for (const { requestId, code, reason, agent, origin = '', guardrailHits = '' } of messages) {
        fields.guardrailHits = guardrailHits
        fields.id = requestId
        fields.agent = agent
        // Over HTTP a refused tool is a 200; its record has the status of the refusal, as that of a call has
        fields.status = code === null || status >= 400 ? status : PROBLEMS[code].status
        fields.code = code ?? exchange.code ?? ''
        fields.reason = reason
        fields.origin = origin
        fields.isStream = exchange.method === 'GET' || agent?.mcpMethod === 'subscriptions/listen'
        add(exchange, exchange.collection, virtualMcp)
        // Bytes of a batch are counted once
        fields.bytesIn = 0
        fields.bytesOut = 0
      }
    },
  }
}

/** The last row of every exchange: its record, or one for each message at `/mcp` and below. Requests for other doors have none. */
export function writeRecord(exchange: Exchange): void {
  const { lane, messages, isRecorded } = exchange
  if (isRecorded) return
  if (messages !== null) lane.records.messages(exchange, messages)
  else if (!exchange.reserved || exchange.surface !== 0) lane.records.request(exchange)
}

/** The surface of a path of the MCP doors. */
export function mcpSurfaceOf(path: string): SurfaceNumber {
  return path === DOORS.consumerMcp.path ? 1 : 2
}

const BELOW_MCP = DOORS.belowConsumerMcp.path.length + 1

/** The virtual MCP that the path names, also for a caller who may not call it. */
function virtualMcpOf({ snapshot, path, through }: Exchange): LinkedVirtualMcp | null {
  return through?.of.virtualMcp ?? snapshot.virtualMcps.get(path.slice(BELOW_MCP)) ?? null
}

/** Over MCP a refused call is a 200; its record has the status of the refusal. */
function statusOf({ code, verdict, outcome }: Exchange): number {
  const said = code === null && verdict !== null ? verdict.code : null
  if (said === null || isAnswerCode(said) || outcome.status >= 400) return outcome.status
  return PROBLEMS[said].status
}

function isAnswerCode(code: RefusalCode | AnswerCode): code is AnswerCode {
  return (ANSWER_CODES as readonly string[]).includes(code)
}

function reasonOf({ reason, contractFault }: Exchange): string {
  if (contractFault === '') return reason
  return reason === '' ? contractFault : `${contractFault}; ${reason}`
}

/** What a caller over REST says of itself in X-Agent-Name and X-Conversation-ID. */
export function declaredAgent(name = '', conversationId = ''): RecordAgent {
  return {
    name,
    version: '',
    sessionId: '',
    conversationId,
    mcpMethod: '',
    tool: '',
    mcpRequestId: '',
    reason: '',
  }
}

/** @param hits as {@link hitsText} writes them */
function countHits(counts: RequestCounts, hits: string, { guardrails }: Snapshot): void {
  for (const hit of JSON.parse(hits) as GuardrailHit[]) {
    const slug = guardrails.get(hit.rule)?.rule?.slug
    if (slug !== undefined) counts.addHits(slug, hit.leg, outcomeOf(hit), hit.count)
  }
}

function countTokens(counts: RequestCounts | null, { trace }: Exchange): void {
  if (counts === null || trace === null) return
  for (const { model, prompt, completion } of trace.tokens()) counts.addTokens(model, prompt, completion)
}

function outcomeOf({ observed, action }: GuardrailHit): HitLabel {
  if (action === 'failed') return 'failed'
  if (observed) return 'observed'
  return action === 'block' ? 'blocked' : action === 'log' ? 'logged' : 'changed'
}

function hitsOf({ guard, capability, through, stepTally }: Exchange): string {
  const beside = (capability ?? through)?.guard ?? null
  if (guard === null && beside === null && stepTally === null) return ''
  return hitsText([guard?.tally, beside?.tally, stepTally].flatMap((tally) => tally ?? []))
}

/** The lines of tallies as JSON, as many as fit a record; empty without any. */
export function hitsText(tallies: readonly Tally[]): string {
  const lines = tallies.flatMap((tally) => tally.list())
  if (lines.length === 0) return ''
  let text = JSON.stringify(lines)
  while (text.length > RECORD_CHARS_MAX.guardrailHits) {
    lines.pop()
    text = JSON.stringify(lines)
  }
  return text
}

const CACHE_PREFIX = 'X-Cache: '

/** What the line of X-Cache says, as an index into CACHE_OUTCOMES. */
function cacheOutcomeOf(line: string): number {
  const said = line.slice(CACHE_PREFIX.length).trim().toLowerCase()
  return Math.max(0, (CACHE_OUTCOMES as readonly string[]).indexOf(said))
}

function emptyFields(): RecordFields {
  return {
    id: '',
    timeMs: 0,
    surface: 0,
    method: '',
    path: '',
    route: '',
    collection: '',
    proxy: '',
    virtualMcp: '',
    origin: '',
    client: '',
    profile: '',
    credentialId: '',
    user: '',
    subject: '',
    agentHost: '',
    ip: '',
    status: 0,
    code: '',
    reason: '',
    stoppedAt: -1,
    check: '',
    durationMs: 0,
    upstreamMs: -1,
    bytesIn: 0,
    bytesOut: 0,
    upstreamStatus: -1,
    upstreamTarget: '',
    retries: 0,
    cache: 0,
    nearestLimit: '',
    traceId: '',
    workflowTrace: '',
    aborted: false,
    isStream: false,
    argumentBytes: 0,
    count: 1,
    guardrailHits: '',
    agent: null,
  }
}

/** Id of the person for whom a proved caller calls; empty for other callers. */
function personOf({ signIn, verified, profile, credentialId }: Identity): string {
  const signedIn = verified?.signIn ?? signIn
  if (signedIn !== null) return signedIn.user ?? ''
  return credentialId === '' ? '' : (profile?.binding?.user ?? '')
}
