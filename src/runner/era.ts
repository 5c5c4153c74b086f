/**
 * Finds out which era a server speaks. Before a modern request, a new process is asked with `server/discover`. A process that
 * answers is kept for the request. Some legacy servers exit on a request before `initialize`; they are started again. Legacy
 * clients need no verdict: servers of both eras take `initialize`, and others refuse it themselves.
 */
import type { Clock } from '../base/clock.ts'
import { Lru } from '../base/memory/lru.ts'
import { RPC } from '../mcp/protocol/answer.ts'
import { isMembers, type Members } from '../mcp/protocol/message.ts'
import { MODERN_VERSIONS } from '../mcp/protocol/versions.ts'
import { VERSION } from '../version.ts'
import type { Request } from './connection.ts'
import { type Failure, failure } from './failure.ts'
import type { Era, Instances, Wanted } from './instances.ts'

/** A server may have been upgraded since, milliseconds. */
const VERDICT_MS = 24 * 60 * 60 * 1000
/** Of a server that did not answer in time: it may only have been slow. */
const DOUBTFUL_MS = 60_000
const PROBE_MS_MAX = 10_000
const VERDICTS_MAX = 1000
/** Processes at once that are asked. */
const PROBES_MAX = 8

/** Codes that only modern servers send. */
const MODERN_CODES: ReadonlySet<unknown> = new Set([RPC.headerMismatch, -32_021, RPC.unsupportedVersion])

/** Tells the era of a server, or why it cannot be known. */
export type EraOf = (wanted: Wanted) => Promise<Era | Failure>

export function createEraOf(instances: Instances, clock: Clock): EraOf {
  const verdicts = new Lru<string, { readonly era: Era; readonly until: number }>(VERDICTS_MAX)
  const probes = new Map<string, Promise<Era | Failure>>()
  const params = {
    _meta: {
      'io.modelcontextprotocol/protocolVersion': MODERN_VERSIONS[0],
      'io.modelcontextprotocol/clientCapabilities': {},
      'io.modelcontextprotocol/clientInfo': { name: 'postern-runner', version: VERSION },
    },
  }
  const message: Request = { kind: 'request', id: 1, method: 'server/discover', params }
  const text = JSON.stringify({ jsonrpc: '2.0', id: 1, method: message.method, params })

  async function probe(wanted: Wanted): Promise<Era | Failure> {
    const { start_timeout } = wanted.entry.limits
    const timeoutMs = Math.min(PROBE_MS_MAX, start_timeout)
    const outcome = await instances.askFirst(wanted, message, text, timeoutMs, eraIn)
    if ('why' in outcome) {
      const { reason } = outcome.why
      if (reason === 'process_ended') return keep(wanted, 'legacy', VERDICT_MS)
      return reason === 'call_timeout' ? keep(wanted, 'legacy', DOUBTFUL_MS) : outcome.why
    }
    return keep(wanted, eraIn(outcome.text), VERDICT_MS)
  }

  function keep({ command }: Wanted, era: Era, ms: number): Era {
    verdicts.set(command, { era, until: clock.monotonic() + ms })
    return era
  }

  return async (wanted) => {
    if (wanted.entry.era !== 'auto') return wanted.entry.era
    const known = verdicts.get(wanted.command)
    if (known !== undefined && known.until > clock.monotonic()) return known.era
    let probing = probes.get(wanted.command)
    if (probing === undefined) {
      if (probes.size >= PROBES_MAX)
        return failure('instances_full', 'Too many servers are asked for their era at once.', {
          retryAfterMs: 1000,
        })
      probing = probe(wanted).finally(() => probes.delete(wanted.command))
      probes.set(wanted.command, probing)
    }
    return probing
  }
}

/** @param answer response to `server/discover` */
function eraIn(answer: string): Era {
  const { result, error } = JSON.parse(answer) as Members
  const isModern = isMembers(error)
    ? MODERN_CODES.has(error['code'])
    : isMembers(result) && Array.isArray(result['supportedVersions'])
  return isModern ? 'modern' : 'legacy'
}
