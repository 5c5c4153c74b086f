import { type Clock, toTime } from '../../base/clock.ts'
import type { AuditEntry } from '../../model/audit.ts'
import { newAuditEntry } from '../../model/new-audit-entry.ts'
import type { Surface } from '../../model/record.ts'
import type { ConfigStore } from '../../store/ports/config.ts'

const MINUTE_MS = 60_000

/** Sources that are told apart in a minute; those beyond are counted together, so that a flood stays small. */
const SOURCES_MAX = 1000

/** An attempt by nobody known. */
interface UnknownCaller {
  readonly surface: Surface
  readonly ip: string | null
  /** Why it was refused, for the audit only. */
  readonly reason: string
  readonly userAgent: string | null
}

export interface UnauthenticatedAudit {
  /** Counts a refusal; costs no write. */
  note(caller: UnknownCaller): void
  /** Writes the minutes that are over (all of them with `everything`); called by a timer and on drain. */
  flush(everything?: boolean): Promise<void>
}

interface Counted {
  readonly caller: UnknownCaller
  readonly minute: number
  count: number
}

/** Refusals of unknown callers as one audit entry per source, reason and minute: no attacker buys a disk write per request. */
export function createUnauthenticatedAudit(store: ConfigStore, clock: Clock): UnauthenticatedAudit {
  const counts = new Map<string, Counted>()
  return {
    note(caller) {
      const minute = Math.floor(clock.now() / MINUTE_MS)
      const key = `${minute} ${caller.surface} ${caller.ip} ${caller.reason}`
      const known = counts.get(key)
      if (known !== undefined) known.count++
      else if (counts.size < SOURCES_MAX) counts.set(key, { caller, minute, count: 1 })
      else {
        const rest = counts.get('rest')
        if (rest !== undefined) rest.count++
        else
          counts.set('rest', {
            caller: { surface: caller.surface, ip: null, reason: 'many sources', userAgent: null },
            minute,
            count: 1,
          })
      }
    },
    async flush(everything = false) {
      const minute = Math.floor(clock.now() / MINUTE_MS)
      const due = [...counts].filter(([, counted]) => everything || counted.minute !== minute)
      if (due.length === 0) return
      for (const [key] of due) counts.delete(key)
      try {
        await store.write(async (writer) => {
          for (const [, counted] of due) await writer.appendAudit(toEntry(counted, clock))
        })
      } catch (error) {
        // What the store did not take is written once it does
        for (const [key, counted] of due) {
          const since = counts.get(key)
          if (since !== undefined) since.count += counted.count
          else counts.set(key, counted)
        }
        throw error
      }
    },
  }
}

function toEntry({ caller, minute, count }: Counted, clock: Clock): AuditEntry {
  return newAuditEntry(clock, {
    time: toTime(minute * MINUTE_MS),
    actor: { id: 'anonymous', type: 'anonymous', name: 'anonymous', auth_method: 'none' },
    surface: caller.surface,
    operation: 'access.authenticate',
    action: 'READ',
    resource: { type: 'access', id: null, slug: null, collection: null },
    ip: caller.ip,
    user_agent: caller.userAgent,
    outcome: 'denied',
    error: 'credential_invalid',
    detail: caller.reason,
    count,
  })
}
