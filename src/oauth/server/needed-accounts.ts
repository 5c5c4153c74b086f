/**
 * The accounts at origins that a person needs for a virtual MCP. An origin that cannot be reached never keeps a person from
 * signing in.
 */
import type { McpOffer } from '../../access/mcp-access.ts'
import type { OriginAccess } from '../../access/origin-access.ts'
import { isExchanging } from '../../model/mcp/origin.ts'
import type { Federation, ShownConnection } from '../federation/port.ts'

/** An MCP server behind a virtual MCP, as a person who allows an application sees it. */
export interface NeededAccount {
  readonly slug: string
  readonly name: string
  /** The account of the person there; null if the person has nothing to connect there. */
  readonly connection: ShownConnection | null
  /** The person must connect the account before the application is allowed. */
  readonly isMissing: boolean
}

/** What a person needs at the MCP servers behind an endpoint. */
export interface NeededAccounts {
  of(account: string, offer: McpOffer): Promise<readonly NeededAccount[]>
}

/** An origin that is unreachable or switched off never keeps a person from signing in. */
export function createNeededAccounts(
  origins: Pick<OriginAccess, 'offered'>,
  federation: Pick<Federation, 'shown'>,
): NeededAccounts {
  return {
    async of(account, offer) {
      if (offer.kind !== 'virtual_mcp') return []
      const connectable = new Map((await origins.offered(account)).map((origin) => [origin.id, origin]))
      return Promise.all(
        offer.origins.map(async ({ id, slug, name, required, isReachable }) => {
          const origin = connectable.get(id)
          const isOwn = origin !== undefined && !isExchanging(origin.mode)
          const connection = isOwn ? await federation.shown(account, id) : null
          const isWaiting = connection?.state === 'none' || connection?.state === 'refresh_failed'
          return {
            slug,
            name,
            connection,
            isMissing: required && isReachable && origin?.active === true && isWaiting,
          }
        }),
      )
    },
  }
}
