import type { Accounts } from '../../access/accounts.ts'
import type { ConnectedOrigin, OriginAccess } from '../../access/origin-access.ts'
import { permits, UNPLACED } from '../../access/roles.ts'
import { OriginSpec } from '../../model/mcp/origin.ts'
import type { VirtualMcpSpec } from '../../model/mcp/virtual-mcp.ts'
import type { ConfigReader } from '../../store/ports/config.ts'
import type { Resource } from '../../store/ports/resource.ts'
import { membershipsOf, reasonsFor } from './shared-with.ts'

/** Reads which origins people may connect accounts at. */
export function createOriginAccess(
  reader: ConfigReader,
  accounts: Pick<Accounts, 'principalOf'>,
): OriginAccess {
  async function ofVirtualMcps(virtualMcps: readonly Resource[]): Promise<Resource[]> {
    const ids = virtualMcps.flatMap(({ spec }) =>
      // Stored by the schema of this type
      (spec as VirtualMcpSpec).members.filter(({ active }) => active).map(({ origin }) => origin),
    )
    const found = await Promise.all([...new Set(ids)].map((id) => reader.byId('origins', id)))
    return found.filter((origin) => origin !== undefined)
  }

  return {
    async offered(account) {
      const user = await reader.byId('users', account)
      if (user?.spec['active'] !== true) return []
      const memberships = await membershipsOf(reader, user)
      const bound = (await reader.usersOf(account)).flatMap(({ type, spec }) =>
        type === 'bindings' ? [String(spec['virtual_mcp'])] : [],
      )
      const published = (await reader.all('virtual_mcps')).filter(({ status }) => status === 'published')
      const mine = published.filter(
        ({ id, spec }) => bound.includes(id) || reasonsFor(spec, memberships).length > 0,
      )
      return toConnected(await ofVirtualMcps(mine)).filter(({ mode }) => mode !== 'shared_oauth')
    },
    async shared(account) {
      const principal = await accounts
        .principalOf(account, { authMethod: 'session', expiresAt: null, ceiling: null })
        .catch(() => null)
      if (principal === null || !permits(principal, 'origins:update', UNPLACED)) return []
      return toConnected(await reader.all('origins')).filter(({ mode }) => mode === 'shared_oauth')
    },
    async byId(id) {
      const origin = await reader.byId('origins', id)
      return (origin && toConnected([origin])[0]) ?? null
    },
  }
}

/** Those of them that take accounts, in order of their names. */
export function toConnected(origins: readonly Resource[]): ConnectedOrigin[] {
  return origins
    .flatMap(({ id, slug, name, spec }) => {
      // Specs stored by earlier versions lack the members of accounts
      const { url, active, auth_mode: mode, oauth, key_header: keyHeader } = OriginSpec.parse(spec)
      if (url === null || mode === 'static') return []
      return [{ id, slug, name, active, url, mode, oauth, keyHeader }]
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}
