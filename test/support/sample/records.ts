/** Request records of two weeks of traffic, written as the recorder writes them. */
import { join } from 'node:path'
import { createClock } from '../../../src/base/clock.ts'
import { createRequestIds } from '../../../src/base/ids.ts'
import { PROBLEMS, type RefusalCode } from '../../../src/base/refusal.ts'
import { type CheckName, checkNumber } from '../../../src/gateway/check-names.ts'
import { createBatchWriter } from '../../../src/record/batch.ts'
import { type GuardrailHit, isProved, type RecordFields } from '../../../src/record/fields.ts'
import { createIngest } from '../../../src/record/ingest.ts'
import { openRecordStore } from '../../../src/store/sqlite/records.ts'
import { chars, pick, type Random, seeded } from '../planted-values.ts'

/** What records refer to: ids of the instance. */
export interface Traffic {
  readonly proxies: readonly {
    readonly id: string
    readonly collection: string
    readonly method: string
    /** Path below the gateway with its parameters, such as `/orders/v1/{id}`. */
    readonly route: string
    readonly target: string
  }[]
  readonly callers: readonly {
    readonly client: string
    readonly profile: string
    readonly isAgent: boolean
    readonly limit: string
  }[]
  readonly virtualMcps: readonly { readonly id: string; readonly slug: string; readonly origin: string }[]
  /** What finds something in calls of virtual MCPs. */
  readonly guardrails: readonly Pick<GuardrailHit, 'rule' | 'detector' | 'leg' | 'action'>[]
}

const DAY_MS = 86_400_000
/** Figures of a week have a week before to be compared with. */
const DAYS = 14
/** Traffic grows: above 1 there is more of it in the second week. */
const GROWTH = 1.25
const BATCH_ROWS = 1024
const HEX = '0123456789abcdef'
/** Share of requests by hour of the day, UTC. */
const HOURS = [2, 2, 1, 1, 1, 2, 4, 7, 9, 10, 10, 9, 10, 9, 9, 8, 8, 9, 10, 9, 7, 5, 4, 3]
const TOOLS = ['search_tickets', 'get_ticket', 'reply_to_ticket', 'find_order'] as const
const AGENT_NAMES = ['claude-code', 'ChatGPT', 'cursor', 'report-writer'] as const

interface Ending {
  readonly weight: number
  readonly status: number
  readonly code?: RefusalCode
  readonly check?: CheckName
  readonly reason?: string
}
const ENDINGS: readonly Ending[] = [
  { weight: 1500, status: 200 },
  { weight: 110, status: 201 },
  { weight: 60, status: 204 },
  { weight: 28, status: 404 },
  { weight: 14, status: 422 },
  { weight: 9, status: 409 },
  { weight: 6, status: 500 },
  { weight: 16, status: 429, code: 'rate_limit_exceeded', check: 'limits' },
  { weight: 4, status: 429, code: 'quota_exceeded', check: 'limits' },
  { weight: 8, status: 403, code: 'endpoint_not_allowed', check: 'assignment' },
  {
    weight: 12,
    status: 400,
    code: 'body_invalid',
    check: 'contract',
    reason: '/lines/0/quantity: must be at least 1',
  },
  { weight: 5, status: 502, code: 'upstream_unreachable', check: 'forward', reason: 'connection refused' },
  { weight: 7, status: 504, code: 'upstream_timeout', check: 'forward', reason: 'no first byte within 30s' },
  {
    weight: 9,
    status: 401,
    code: 'credential_invalid',
    check: 'authenticate',
    reason: 'the token is unknown',
  },
  { weight: 3, status: 401, code: 'credential_expired', check: 'authenticate' },
  { weight: 4, status: 403, code: 'ip_not_allowed', check: 'address' },
]
const WEIGHTS = ENDINGS.reduce((sum, { weight }) => sum + weight, 0)

/** Items early in the list come far more often than late ones. @param power how much more */
function skewed<Item>(random: Random, list: readonly Item[], power: number): Item {
  return list[Math.floor(list.length * random() ** power)]!
}

function endingOf(random: Random): Ending {
  let at = random() * WEIGHTS
  for (const ending of ENDINGS) {
    at -= ending.weight
    if (at < 0) return ending
  }
  return ENDINGS[0]!
}

/** Times of two weeks that end at `now`, by the hours of the day, in order. */
function timesOf(random: Random, count: number, now: number): number[] {
  const most = Math.max(...HOURS)
  const times: number[] = []
  while (times.length < count) {
    const time = now - random() ** GROWTH * DAYS * DAY_MS
    if (random() * most < HOURS[new Date(time).getUTCHours()]!) times.push(time)
  }
  return times.sort((one, other) => one - other)
}

/**
 * What the records say does not depend on `now`: how many times are drawn in vain does, so times have draws of their own.
 *
 * @param now milliseconds since 1970
 */
export function* sampleRecords(traffic: Traffic, count: number, now: number): Generator<RecordFields> {
  const random = seeded(count)
  let time = 0
  const ids = createRequestIds({ ...createClock(), now: () => Math.floor(time) })
  for (const next of timesOf(seeded(count + 1), count, now)) {
    time = next
    yield recordOf(random, traffic, ids(), Math.floor(time))
  }
}

function recordOf(random: Random, traffic: Traffic, id: string, timeMs: number): RecordFields {
  const proxy = skewed(random, traffic.proxies, 6)
  const caller = skewed(random, traffic.callers, 3)
  const ending = endingOf(random)
  const refused = ending.code !== undefined
  const isAsked = !refused || ending.check === 'forward'
  const isTool = caller.isAgent && traffic.virtualMcps.length > 0 && random() < 0.6
  const virtual = isTool ? pick(random, traffic.virtualMcps) : null
  const isHit = !refused && proxy.method === 'GET' && random() < 0.12
  const upstreamMs = 8 * Math.exp(1.1 * normal(random)) * (ending.code === 'upstream_timeout' ? 900 : 6)
  const path = proxy.route.replace('{id}', String(100_000 + Math.floor(random() * 899_999)))
  const isAnonymous = ending.check === 'authenticate'
  return {
    id,
    timeMs,
    surface: virtual !== null ? 2 : caller.isAgent ? 1 : 0,
    method: virtual !== null ? 'POST' : proxy.method,
    path: virtual !== null ? `/mcp/${virtual.slug}` : path,
    route: virtual !== null ? '' : proxy.route,
    collection: virtual !== null ? '' : proxy.collection,
    proxy: virtual !== null ? '' : proxy.id,
    virtualMcp: virtual?.id ?? '',
    origin: virtual?.origin ?? '',
    client: caller.client,
    profile: caller.profile,
    credentialId: isAnonymous ? '' : `key_${caller.profile.slice(4)}`,
    user: '',
    subject: '',
    agentHost: '',
    ip: `203.0.113.${1 + Math.floor(random() ** 2 * 250)}`,
    status: refused ? PROBLEMS[ending.code!].status : ending.status,
    code: ending.code ?? '',
    reason: ending.reason ?? '',
    stoppedAt: checkNumber(ending.check ?? ''),
    check: ending.check ?? '',
    durationMs: (isAsked && !isHit ? upstreamMs : 0) + 0.2 + random() * 0.9,
    upstreamMs: isAsked && !isHit ? upstreamMs : -1,
    bytesIn: proxy.method === 'GET' ? 0 : 180 + Math.floor(random() * 3000),
    bytesOut: refused ? 310 : 120 + Math.floor(random() ** 3 * 90_000),
    upstreamStatus: refused || isHit ? -1 : ending.status,
    upstreamTarget: isAsked && !isHit ? proxy.target : '',
    retries: ending.code === 'upstream_unreachable' ? 1 : 0,
    cache: isHit ? 1 : 0,
    nearestLimit: caller.limit,
    traceId: random() < 0.5 ? chars(random, 32, HEX) : '',
    workflowTrace: '',
    aborted: random() < 0.004,
    isStream: false,
    argumentBytes: virtual === null ? 0 : 20 + Math.floor(random() * 300),
    count: 1,
    guardrailHits: virtual === null ? '' : hitsOf(random, traffic),
    agent: caller.isAgent
      ? {
          name: pick(random, AGENT_NAMES),
          version: `2.${Math.floor(random() * 9)}.0`,
          sessionId: `ses_${Math.floor(timeMs / 3_600_000)}`,
          conversationId: '',
          mcpMethod: 'tools/call',
          tool: virtual === null ? 'execute_call' : pick(random, TOOLS),
          mcpRequestId: String(1 + Math.floor(random() * 40)),
          reason: random() < 0.3 ? 'The customer asks where the parcel is.' : '',
        }
      : null,
  }
}

/** What a guardrail has found in one of a few calls, as JSON; empty for nothing. */
function hitsOf(random: Random, { guardrails }: Traffic): string {
  if (guardrails.length === 0 || random() >= 0.15) return ''
  const hit: GuardrailHit = {
    ...pick(random, guardrails),
    observed: false,
    count: 1 + Math.floor(random() * 3),
  }
  return JSON.stringify([hit])
}

/** A normally distributed number with mean 0 and deviation 1 (Box and Muller). */
function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}

/** Stores records in a data directory that no process uses. */
export async function writeRecords(data: string, records: Iterable<RecordFields>): Promise<void> {
  const store = openRecordStore(join(data, 'records.db'))
  const ingest = createIngest(store)
  const shares = [true, false].map((proved) => ({
    proved,
    rows: 0,
    writer: createBatchWriter(BATCH_ROWS, proved),
  }))
  const hand = async (share: (typeof shares)[number]): Promise<void> => {
    if (share.rows === 0) return
    ingest.push(share.writer.take(), () => {})
    share.writer = createBatchWriter(BATCH_ROWS, share.proved)
    share.rows = 0
    await ingest.settle()
  }
  for (const record of records) {
    const share = shares[isProved(record) ? 0 : 1]!
    share.writer.add(record)
    if (++share.rows === BATCH_ROWS) await hand(share)
  }
  for (const share of shares) await hand(share)
  const { dropped, lastError } = ingest.state
  await store.close()
  if (dropped > 0 || lastError !== null) throw new Error(`records were not stored: ${dropped} ${lastError}`)
}
