import { type Clock, toTime } from '../../base/clock.ts'
import type { AuditEntry } from '../../model/access/audit.ts'
import { newAuditEntry } from '../../model/access/new-audit-entry.ts'
import type { Surface } from '../../model/record.ts'
import type { ConfigStore } from '../../store/ports/config.ts'

const MINUTE_MS = 60_000

/** Sources that are told apart in a minute; those beyond are counted together, so that a flood stays small. */
const SOURCES_MAX = 1000

/** A caller that was refused. */
interface RefusedCaller {
  readonly surface: Surface
  readonly ip: string | null
  /** Why it was refused, for the audit only. */
  readonly reason: string
  readonly userAgent: string | null
  /** The caller, if it has proved itself; absent for an anonymous caller. */
  readonly actor?: AuditEntry['actor']
  /** What was refused; absent for the interface as a whole. */
  readonly resource?: AuditEntry['resource']
  /** Code of the refusal; `credential_invalid` when absent. */
  readonly error?: string
  /** Members that say more; never a credential. */
  readonly facts?: Readonly<Record<string, string>>
}

export interface UnauthenticatedAudit {
  /** Counts refusals; costs no write. @param times how many there were */
  note(caller: RefusedCaller, times?: number): void
  /** Writes the minutes that are over (all of them with `everything`); called by a timer and on drain. */
  flush(everything?: boolean): Promise<void>
}

interface Counted {
  readonly caller: RefusedCaller
  readonly minute: number
  count: number
}

/** Refusals of callers as one audit entry per source, reason and minute: no attacker buys a disk write per request. */
export function createUnauthenticatedAudit(store: ConfigStore, clock: Clock): UnauthenticatedAudit {
  const counts = new Map<string, Counted>()
  return {
    note(caller, times = 1) {
      const minute = Math.floor(clock.now() / MINUTE_MS)
      const { surface, ip, reason, actor, resource, error, facts } = caller
      const more = actor ?? resource ?? facts
      const key = `${minute} ${surface} ${ip} ${reason}${more === undefined ? '' : JSON.stringify([actor, resource, error, facts])}`
      const known = counts.get(key)
      if (known !== undefined) known.count += times
      else if (counts.size < SOURCES_MAX) counts.set(key, { caller, minute, count: times })
      else {
        const rest = counts.get('rest')
        if (rest !== undefined) rest.count += times
        else
          counts.set('rest', {
            caller: { surface: caller.surface, ip: null, reason: 'many sources', userAgent: null },
            minute,
            count: times,
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

const NOBODY = { id: 'anonymous', type: 'anonymous', name: 'anonymous', auth_method: 'none' } as const
const ANYTHING = { type: 'access', id: null, slug: null, collection: null } as const

function toEntry({ caller, minute, count }: Counted, clock: Clock): AuditEntry {
  const { actor, facts = {} } = caller
  return newAuditEntry(clock, {
    time: toTime(minute * MINUTE_MS),
    actor: actor ?? NOBODY,
    surface: caller.surface,
    operation: actor === undefined ? 'access.authenticate' : 'access.use',
    action: 'READ',
    resource: caller.resource ?? ANYTHING,
    diff: Object.entries(facts).map(([name, value]) => ({ op: 'add' as const, path: `/${name}`, value })),
    ip: caller.ip,
    user_agent: caller.userAgent,
    outcome: 'denied',
    error: caller.error ?? 'credential_invalid',
    detail: caller.reason,
    count,
  })
}
