/** Probes an origin for the main thread, over the sockets and rules of calls. */
import type { Clock } from '../../../base/clock.ts'
import type { RunnerAddress } from '../../../base/net/runner-address.ts'
import type { Gateway } from '../../../gateway/gateway.ts'
import type { OriginProbed } from '../../../model/mcp/origin.ts'
import type { LinkedOrigin } from '../../../snapshot/linked/mcp.ts'
import type { OwnName } from '../../origin/envelope.ts'
import { probeEntry, probeOrigin } from '../../origin/probe.ts'
import { ownSseTools, toOriginAnswer } from './watch-tools.ts'

export interface OriginProbeTools {
  readonly gateway: Pick<Gateway, 'askOrigin' | 'readOrigin'>
  /** Null where the settings name no runner. */
  readonly runner: RunnerAddress | null
  readonly clock: Clock
  readonly own: OwnName
}

/**
 * Finds out how an origin is spoken to and what it lists, over the sockets and rules that calls use. Never rejects. At an origin with
 * connections it is asked with the account `as`, the id of a person or SHARED; without one, as nobody: many servers list what they have
 * without a sign-in.
 */
export function createOriginProbe({ gateway, runner, clock, own }: OriginProbeTools) {
  return async (given: LinkedOrigin['fragment'], as?: string): Promise<OriginProbed> => {
    const origin = as === undefined ? withoutAccount(given) : given
    const account = as === undefined ? {} : { as }
    const tools = {
      send: async (request: Parameters<Gateway['askOrigin']>[1]) => {
        const answer = await gateway.askOrigin(origin, { ...request, ...account })
        // The page is for the person of the account, and administrators read why a probe failed
        if (answer.code === 'connect_required') return { ok: false, reason: answer.reason } as const
        const came = toOriginAnswer(answer)
        // Administrators of origins may know what callers may not: `connect ECONNREFUSED 10.0.0.7:443`
        return came.ok || came.isUnreachable !== true || answer.reason === ''
          ? came
          : { ...came, reason: `${came.reason.replace(/\.$/, '')} (${answer.reason})` }
      },
      clock,
      own,
    }
    if (origin.served_by !== 'stdio') return probeOrigin({ ...tools, sse: ownSseTools(gateway, origin, as) })
    const list = { ...origin, target: '/entries' }
    return probeEntry({
      ...tools,
      entry: origin.target.slice('/entries/'.length),
      runner: runner?.text ?? null,
      entries: async () => {
        const answer = await gateway.askOrigin(list, { method: 'GET', fields: '', body: null })
        return answer.code === null ? toOriginAnswer(answer) : { ok: false, reason: answer.reason }
      },
    })
  }
}

function withoutAccount(origin: LinkedOrigin['fragment']): LinkedOrigin['fragment'] {
  const { connection, ...rest } = origin
  return connection === undefined ? origin : rest
}
