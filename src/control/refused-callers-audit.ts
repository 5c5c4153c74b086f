/** Adds names to refusals at MCP endpoints, for the audit trail. */
import type { RefusedCallers } from '../fleet/shared/messages.ts'
import type { UnauthenticatedAudit } from '../operations/audit/audit.ts'
import type { ConfigReader } from '../store/ports/config.ts'
import { StoreUnavailable } from '../store/ports/unavailable.ts'

/** Tables of those who call MCP endpoints, by the beginning of their ids. */
const TABLES = { usr: 'users', hst: 'hosts', cli: 'clients' } as const

/** Notes refusals at MCP endpoints for the audit trail, with the names of the caller and of the virtual MCP. */
export function noteRefusedCallers(
  reader: Pick<ConfigReader, 'byId'>,
  audit: Pick<UnauthenticatedAudit, 'note'>,
  fault: (error: unknown, at: string) => void,
): (refused: RefusedCallers) => void {
  async function slugOf(id: string, table: (typeof TABLES)[keyof typeof TABLES] | 'virtual_mcps') {
    try {
      return (await reader.byId(table, id))?.slug ?? null
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      return null
    }
  }

  async function note({ surface, reason, code, ip, virtualMcp, actor, profile, count }: RefusedCallers) {
    const table = TABLES[(actor ?? '').slice(0, 3) as keyof typeof TABLES]
    const name = actor === null || table === undefined ? null : await slugOf(actor, table)
    const slug = virtualMcp === '' ? null : await slugOf(virtualMcp, 'virtual_mcps')
    audit.note(
      {
        ...{ surface, ip: ip === '' ? null : ip, userAgent: null, error: code },
        reason: reason === '' ? code : reason,
        facts: profile === '' ? {} : { profile },
        ...(actor === null
          ? {}
          : {
              actor: {
                ...{ id: actor, name: name ?? actor, auth_method: 'token' },
                type: table === 'users' ? ('user' as const) : ('service' as const),
              },
            }),
        ...(virtualMcp === ''
          ? {}
          : { resource: { type: 'virtual_mcp', id: virtualMcp, slug, collection: null } }),
      },
      count,
    )
  }

  return (refused) => void note(refused).catch((error: unknown) => fault(error, 'refused callers'))
}
