/**
 * Replays: a gateway thread makes a recorded request again in process, by rows of the same list.
 *
 * The caller proves nothing anew. Instead, the client and profile must be active, the recorded token must still prove
 * the caller (`proof`), and the path must lead to the proxy of the recorded request (`same proxy`). The call is made
 * before the transaction that writes its audit entry.
 */
import { ownedBytes } from '../base/memory/bytes.ts'
import type { ReplayAnswer, ReplayAsked } from '../model/replay.ts'
import { checkNumber } from './check-names.ts'
import { type AsProfileOptions, callAsProfile } from './ends/call-as-profile.ts'
import { createFieldReader } from './request-headers.ts'

/** A request that takes longer is given up. */
const WAIT_MS = 30_000

/**
 * Makes a recorded request again, as its caller, by the checks, counters and record of any other. Gives null when it had
 * no whole answer in time. Never rejects.
 */
export async function replayRequest(
  asked: ReplayAsked,
  options: Pick<AsProfileOptions, 'lane' | 'snapshot' | 'secure'>,
): Promise<ReplayAnswer | null> {
  const { proxy, credentialId, user } = asked
  const { requestId, method, client, profile, host, target, fields, body, ip } = asked
  const made = await callAsProfile(
    { requestId, method, client, profile, host, target, fields, body, ip, agent: toAgent(asked) },
    {
      ...options,
      waitMs: WAIT_MS,
      prepare(exchange) {
        exchange.surface = asked.surface === 'gateway' ? 0 : 1
        exchange.replayed = { proxy, credentialId, user }
      },
    },
  )
  if (made === null) return null
  const { answer, exchange } = made
  const { upstreamStatus } = exchange.outcome
  return {
    status: answer.status,
    code: answer.code,
    reason: exchange.reason,
    stoppedAt: exchange.check === '' ? null : checkNumber(exchange.check),
    check: exchange.check === '' ? null : exchange.check,
    upstreamStatus: upstreamStatus === 0 ? null : upstreamStatus,
    durationMs: answer.durationMs,
    headers: shownHeaders(answer.fields),
    body: ownedBytes(answer.body),
    bodyBytes: answer.bodyBytes,
  }
}

function toAgent({ tool, of, over }: ReplayAsked) {
  return {
    name: '',
    version: '',
    sessionId: '',
    conversationId: '',
    mcpMethod: '',
    tool,
    mcpRequestId: '',
    reason: '',
    replayOf: of,
    replayedOver: over,
  }
}

/** The headers of an answer that are shown where it is told of in another answer, from a block of header lines. */
export const shownHeaders = createFieldReader([
  'content-type',
  'content-language',
  'content-disposition',
  'etag',
  'last-modified',
  'link',
  'location',
  'ratelimit',
  'ratelimit-policy',
  'retry-after',
  'x-total-count',
  'deprecation',
  'x-cache',
  'age',
  'idempotency-replayed',
  'sunset',
])
