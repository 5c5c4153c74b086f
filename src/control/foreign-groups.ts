/** Removes groups of users that name another provider than their own: an earlier start had other slugs. */
import type { Accounts } from '../access/accounts.ts'
import type { ConfigReader } from '../store/ports/config.ts'
import type { IdentityProvider } from './identity-provider.ts'

type Named = Pick<IdentityProvider, 'slug' | 'issuer'>

/**
 * Removes groups that begin with the slug of a provider from active users of other issuers. A sign-in never gives such a group,
 * but a user may have got it before the provider had this slug. Each removal is audited. Rejects when the store cannot be written.
 */
export async function forgetForeignGroups(
  providers: readonly Named[],
  reader: Pick<ConfigReader, 'all'>,
  accounts: Pick<Accounts, 'arrive'>,
): Promise<void> {
  const further = providers.filter(({ slug }) => slug !== null)
  if (further.length === 0) return
  for (const { spec } of await reader.all('users')) {
    // Stored by the schema of this type.
    const { issuer, subject, active, groups, mapped_grants: grants } = spec
    if (issuer === null || subject === null || !active) continue
    const own = groups.filter((group) => !further.some((provider) => isForeign(group, issuer, provider)))
    if (own.length < groups.length) await accounts.arrive({ issuer, subject, groups: own, grants })
  }
}

function isForeign(group: string, issuer: string, provider: Named): boolean {
  return issuer !== provider.issuer && group.startsWith(`${provider.slug}/`)
}
