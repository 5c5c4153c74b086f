import { Icons, type VirtualMcpSpec } from '../../model/mcp/virtual-mcp.ts'
import type { ConfigReader } from '../../store/ports/config.ts'
import type { Resource } from '../../store/ports/resource.ts'
import { membershipsOf, reasonsFor } from '../access/shared-with.ts'

/** A virtual MCP that the MCP registry lists, as it is stored. */
export type ListedMcp = Pick<Resource, 'slug' | 'name' | 'revision' | 'updated_at'> & {
  readonly description: string
  readonly icons: Icons
}

/**
 * The virtual MCPs that the MCP registry lists for a user, ordered by slug: published ones that are `public`, and those that are
 * `signed_in` and shared with the user.
 * @param user Id of an active user; null for an anonymous caller. An id that is of no user lists the same as null.
 */
export type ListMcps = (user: string | null) => Promise<readonly ListedMcp[]>

interface Candidate {
  readonly listed: ListedMcp
  /** Who it is shared with; null for a public one. */
  readonly shared: Pick<VirtualMcpSpec, 'teams' | 'all_users'> | null
}

/**
 * Reads what the MCP registry lists. The candidates are kept for one revision of the configuration: anonymous callers
 * cannot make Postern read all virtual MCPs with each request.
 */
export function createMcpListing(
  reader: Pick<ConfigReader, 'revision' | 'all' | 'byId' | 'usersOf'>,
): ListMcps {
  let kept: { readonly revision: number; readonly found: Promise<readonly Candidate[]> } | null = null

  async function candidates(): Promise<readonly Candidate[]> {
    // Read before the candidates: they may be newer than their revision, never older
    const revision = await reader.revision()
    if (kept?.revision !== revision) {
      const reading = { revision, found: reader.all('virtual_mcps').then(candidatesIn) }
      kept = reading
      reading.found.catch(() => {
        if (kept === reading) kept = null
      })
    }
    return kept.found
  }

  return async (user) => {
    const found = await candidates()
    const asked = user !== null && found.some(({ shared }) => shared !== null) ? user : null
    const person = asked === null ? undefined : await reader.byId('users', asked)
    const own = person === undefined ? null : await membershipsOf(reader, person)
    return found
      .filter(({ shared }) => shared === null || (own !== null && reasonsFor(shared, own).length > 0))
      .map(({ listed }) => listed)
  }
}

function candidatesIn(all: readonly Resource[]): readonly Candidate[] {
  return all
    .flatMap(({ slug, name, revision, updated_at, status, spec }): Candidate[] => {
      // Specs stored by earlier versions lack some members
      const { description = '', teams = [], all_users = false, registry } = spec as Partial<VirtualMcpSpec>
      if (status !== 'published' || (registry !== 'public' && registry !== 'signed_in')) return []
      // Icons of a later version may have another form: they hide no entry
      const { data: icons = [] } = Icons.safeParse(spec['icons'])
      const listed = { slug, name, description, icons, revision, updated_at }
      return [{ listed, shared: registry === 'public' ? null : { teams, all_users } }]
    })
    .sort((a, b) => (a.listed.slug < b.listed.slug ? -1 : 1))
}
