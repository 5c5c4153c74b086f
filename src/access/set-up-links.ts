/** Links with which a person chooses a password. */
import { type Clock, hasEnded, toTime } from '../base/clock.ts'
import { hashToken, isToken, mintToken } from '../base/crypto/token.ts'
import { refuse } from '../base/refusal.ts'
import { type AuditEntry, newAuditEntry } from '../model/access/audit.ts'
import type { ConfigReader, ConfigStore, StoredSetUpLink } from '../store/ports/config.ts'
import type { Resource } from '../store/ports/resource.ts'
import { findLocalUser, grantsOf } from './identities.ts'

/** How long a link works that makes an administrator, or is made from the data directory; milliseconds. */
const LINK_MS = 60 * 60_000
/** How long an invitation works, milliseconds. */
export const INVITATION_MS = 24 * 60 * 60_000

export interface IssuedLink {
  readonly token: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

/** Links by which someone chooses a password, kept as hashes. */
export interface SetUpLinks {
  /** Makes the one that a new installation begins with; null once it has an administrator. Audited. */
  first(): Promise<IssuedLink | null>
  /**
   * Makes one from the data directory: for a local user by slug or email, or with null for a new administrator. The one
   * that was made so before for the same ends. Audited. Refuses with not_found.
   */
  reset(name: string | null): Promise<IssuedLink>
  /** The link that a token opens; undefined when it is spent, over, replaced or none of ours. */
  find(token: string): Promise<StoredSetUpLink | undefined>
}

/** Links over a store, which holds hashes of them. */
export function createSetUpLinks(store: ConfigStore, clock: Clock): SetUpLinks {
  /** Hash of the link of a new installation that this process has made last. */
  let printed: string | null = null

  async function issue(
    purpose: 'first' | 'reset',
    user: Resource | null,
    surface: 'cli' | 'system',
  ): Promise<IssuedLink> {
    const { token, hash } = mintToken('su')
    const now = clock.now()
    const link = { hash, user: user?.id ?? null, purpose, expires_at: now + LINK_MS }
    await store.write(async (writer) => {
      await writer.putSetUpLink(link, now, printed)
      await writer.appendAudit(toEntry(link, user, surface, clock))
    })
    if (purpose === 'first') printed = hash
    return { token, expiresAt: link.expires_at }
  }

  return {
    first: async () =>
      (await hasAdministrator(store.read, clock.now())) ? null : issue('first', null, 'system'),
    async reset(name) {
      const user = name === null ? null : await findLocalUser(store.read, name)
      if (user === undefined)
        throw refuse('not_found', {
          detail: `There is no local user "${name}".`,
          errors: [{ pointer: '/user', reason: 'the slug or email of a local user' }],
        })
      return issue('reset', user, 'cli')
    },
    async find(token) {
      const link = isToken('su', token) ? await store.read.setUpLink(hashToken(token)) : undefined
      if (link === undefined) return undefined
      const lifeMs = link.purpose === 'invite' ? INVITATION_MS : LINK_MS
      return hasEnded(link.expires_at - lifeMs, link.expires_at, clock.now()) ? undefined : link
    },
  }
}

/** True once someone who may do everything can sign in: with a password, or at an identity provider. */
export async function hasAdministrator(reader: ConfigReader, now: number): Promise<boolean> {
  for (const { id, spec, key } of await reader.all('users')) {
    if (spec['active'] !== true) continue
    if (key === null && (await reader.password(id)) === undefined) continue
    const grants = await grantsOf(reader, id, now)
    const holdsAll = ({ role, scope }: (typeof grants)[number]): boolean =>
      role === 'admin' && Object.values(scope ?? {}).every((list) => list.length === 0)
    if (grants.some(holdsAll)) return true
  }
  return false
}

function toEntry(
  link: StoredSetUpLink,
  user: Resource | null,
  surface: 'cli' | 'system',
  clock: Clock,
): AuditEntry {
  const auth_method = surface === 'cli' ? 'data_directory' : 'none'
  return newAuditEntry(clock, {
    actor: { id: 'system', type: 'system', name: 'system', auth_method },
    surface,
    operation: 'set_up_links.create',
    action: 'CREATE',
    resource: { type: 'user', id: link.user, slug: user?.slug ?? null, collection: null },
    diff: [
      { op: 'add', path: '/purpose', value: link.purpose },
      { op: 'add', path: '/expires_at', value: toTime(link.expires_at) },
      { op: 'add', path: '/token', value: 'changed' },
    ],
  })
}
