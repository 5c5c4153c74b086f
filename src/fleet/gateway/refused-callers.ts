/**
 * Collects callers that MCP endpoints refuse because of their identity or rights, for the audit trail. A thread adds up equal
 * refusals and reports them once a second.
 *
 * 1. A thread keeps at most {@link KINDS_MAX} kinds of refusals in a second. Further kinds are counted as one kind without an
 *    address.
 * 2. Requests without a credential, and access tokens that have only expired, are left out: every client sends such requests
 *    before it signs in or refreshes its token.
 */
import { BEYOND_BINDING, NOT_SHARED } from '../../gateway/request-headers.ts'
import { RECORD_SURFACES } from '../../model/resource-types.ts'
import { isProved, type RecordFields, type RecordQueue } from '../../record/fields.ts'
import type { FromGateway, RefusedCallers } from '../shared/messages.ts'

/** Milliseconds. */
const GATHERED_MS = 1000
const KINDS_MAX = 256

/** Codes of refusals that concern the caller, not the request. */
const OF_CALLER: ReadonlySet<string> = new Set([
  'auth_throttled',
  'client_inactive',
  'credential_expired',
  'credential_invalid',
  'identity_rejected',
  'ip_not_allowed',
  'profile_inactive',
])
/** Reasons of refusals whose code says nothing about the caller. */
const BEYOND: ReadonlySet<string> = new Set([NOT_SHARED, BEYOND_BINDING])

/** A queue that also gathers refused callers, and what hands them over before the thread ends. */
export function gatherRefusedCallers(
  queue: RecordQueue,
  say: (message: FromGateway) => void,
): { readonly queue: RecordQueue; readonly tell: () => void } {
  const gathered = new Map<string, { -readonly [Name in keyof RefusedCallers]: RefusedCallers[Name] }>()
  let timer: NodeJS.Timeout | null = null

  function tell(): void {
    if (timer !== null) clearTimeout(timer)
    timer = null
    if (gathered.size === 0) return
    say({ kind: 'refused_callers', refused: [...gathered.values()] })
    gathered.clear()
  }

  function note(caller: RefusedCallers): void {
    const own = JSON.stringify(caller)
    const isRest = !gathered.has(own) && gathered.size >= KINDS_MAX
    const key = isRest ? 'rest' : own
    const known = gathered.get(key)
    if (known === undefined) gathered.set(key, isRest ? { ...caller, ...REST } : { ...caller })
    else known.count++
    timer ??= setTimeout(tell, GATHERED_MS).unref()
  }

  return {
    tell,
    queue: {
      add(fields) {
        if (isAboutCaller(fields)) note(toRefused(fields))
        queue.add(fields)
      },
      get dropped() {
        return queue.dropped
      },
      flush: () => queue.flush(),
    },
  }
}

/** Stands for all kinds beyond the bound. */
const REST = { reason: 'many sources', ip: '', virtualMcp: '', actor: null, profile: '' }

function isAboutCaller({ surface, code, reason }: RecordFields): boolean {
  if (surface === 0 || code === '') return false
  if (!OF_CALLER.has(code)) return BEYOND.has(reason)
  // An access token at its end, which its client refreshes
  return code !== 'credential_expired' || reason !== 'expired'
}

function toRefused(fields: RecordFields): RefusedCallers {
  const { surface, reason, code, ip, virtualMcp, subject, client, profile } = fields
  return {
    surface: RECORD_SURFACES[surface] as RefusedCallers['surface'],
    ...{ reason, code, ip, virtualMcp, profile, count: 1 },
    actor: isProved(fields) ? (subject.startsWith('usr_') ? subject : client) : null,
  }
}
