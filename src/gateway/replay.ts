/**
 * Replays: a gateway thread makes a recorded request again in process, by rows of the same list.
 *
 * The caller proves nothing anew. Instead, the client and profile must be active, the recorded token must still prove
 * the caller (`proof`), and the path must lead to the proxy of the recorded request (`same proxy`). The call is made
 * before the transaction that writes its audit entry.
 */
import type { ReplayAnswer, ReplayAsked } from '../model/replay.ts'
import { checkNumber } from './check-names.ts'
import { createInnerCalls, type InnerOptions } from './ends/in-process.ts'
import { shownHeaders } from './shown-headers.ts'
import { REPLAY_CHECKS } from './stages.ts'

/** A request that takes longer is given up. */
const WAIT_MS = 30_000
/** Bytes of the answer that are kept. */
const KEEP_BYTES_MAX = 64 * 1024

/**
 * Makes a recorded request again, as its caller, by the checks, counters and record of any other. Gives null when it had
 * no whole answer in time. Never rejects.
 */
export function replayRequest(
  asked: ReplayAsked,
  options: Pick<InnerOptions, 'lane' | 'snapshot'>,
  secure: boolean,
): Promise<ReplayAnswer | null> {
  const { client, profile, proxy, credentialId, user, ip } = asked
  const call = createInnerCalls({
    ...options,
    checks: REPLAY_CHECKS,
    prepare(exchange) {
      exchange.surface = asked.surface === 'gateway' ? 0 : 1
      exchange.replayed = { proxy, credentialId, user }
    },
  })
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      handle.abort()
      resolve(null)
    }, WAIT_MS)
    const handle = call(
      {
        caller: {
          client: { id: client },
          profile: { id: profile },
          credentialId: '',
          subject: '',
          agentHost: '',
          claims: new Map(),
          signIn: null,
          bearer: '',
          ip,
          secure,
        },
        requestId: asked.requestId,
        method: asked.method,
        host: asked.host,
        target: asked.target,
        fields: asked.fields,
        body: asked.body,
        agent: toAgent(asked),
        keepBytesMax: KEEP_BYTES_MAX,
        until: null,
      },
      ({ status, code, durationMs, fields, body, bodyBytes }, { reason, check, outcome }) => {
        clearTimeout(timer)
        const { upstreamStatus } = outcome
        resolve({
          status,
          code,
          reason,
          stoppedAt: check === '' ? null : checkNumber(check),
          upstreamStatus: upstreamStatus === 0 ? null : upstreamStatus,
          durationMs,
          headers: shownHeaders(fields),
          // A copy: what it is cut from would go along
          body: Uint8Array.from(body),
          bodyBytes,
        })
      },
    )
  })
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
