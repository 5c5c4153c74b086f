import { z } from 'zod'
import { permits } from '../../access/roles.ts'
import { toMs } from '../../base/clock.ts'
import { unit } from '../../model/annotations.ts'
import { Duration, Slug } from '../../model/members.ts'
import { isSigningSecret } from '../../store/ports/config.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { define } from '../engine/define.ts'
import { fromCursor, page, pageOf, toCursor } from '../engine/lists.ts'
import { issuesOf } from '../profiles/issue.ts'
import { keyStates, toState } from '../profiles/tokens.ts'
import { expiryOf, rotationDueAt, secretChangedAt } from './expiry.ts'
import { credentialKind } from './kind.ts'

const DAY_MS = 86_400_000
/** What is old where nobody says another age. */
const OLD_MS = 90 * DAY_MS
/** A list of all that may be read. */
const ALL = 1_000_000

const Stale = z.object({
  type: z.enum(['profile', 'credential']),
  ref: z.string().describe('The profile or credential, such as acme:live'),
  credential_id: z.string().nullable().describe('Of a profile: the token, secret, key or binding'),
  why: z
    .array(z.enum(['due', 'old', 'expiring', 'expired']))
    .min(1)
    .describe('due: it is older than its rotate_every'),
  since: z.string().nullable().describe('When it was issued or last changed; null where that is not known'),
  age_days: z.int().meta(unit('days')).nullable(),
  expires_at: z.string().nullable(),
})
type Stale = z.infer<typeof Stale>

export const listStaleCredentials = define({
  resource: 'credentials',
  action: 'stale',
  effect: 'read',
  tool: 'list_stale_credentials',
  group: credentialKind.group,
  summary: 'List credentials of profiles and upstreams that are old or about to expire',
  input: z.strictObject({
    ...page,
    older_than: Duration.optional().describe(
      'Age from which a credential is old. Default: rotate_every of the credential, or 90d',
    ),
    expiring_within: Duration.default('7d').describe(
      'Time before expiry from which a credential counts as expiring',
    ),
    tag: Slug.optional().describe('Only resources with the tag, or of a client with the tag'),
  }),
  output: pageOf(Stale),
  permission: 'credentials:read',
  refuses: [],
  columns: ['type', 'ref', 'why', 'age_days', 'expires_at', 'credential_id'],
  subject: () => ({ type: credentialKind.noun, id: null, slug: null }),
  handle: async ({ limit, cursor, older_than, expiring_within, tag }, context) => {
    const now = context.clock.now()
    const bounds = {
      now,
      oldMs: older_than === undefined ? null : toMs(older_than),
      soonMs: toMs(expiring_within),
    }
    const all = [...(await ofProfiles(bounds, tag, context)), ...(await ofCredentials(bounds, tag, context))]
    // Oldest first; without a known age last
    all.sort((a, b) => (b.age_days ?? -1) - (a.age_days ?? -1) || (a.ref < b.ref ? -1 : 1))
    const from = cursor === undefined ? 0 : Number(fromCursor(cursor, /^[0-9]{1,7}$/))
    const to = from + limit
    return { items: all.slice(from, to), next_cursor: all.length > to ? toCursor(String(to)) : null }
  },
})

interface Bounds {
  readonly now: number
  /** Null where that was not asked for. */
  readonly oldMs: number | null
  readonly soonMs: number
}

/** Those that work and are not about to end by a rotation. */
async function ofProfiles(bounds: Bounds, tag: string | undefined, context: OperationContext) {
  // Who may not read profiles gets what they may read.
  if (!permits(context.principal, 'profiles:read')) return []
  const { reader, whole } = context
  const profiles = await reader.list({ type: 'profiles', limit: ALL })
  const clients = new Map((await whole.all('clients')).map((client) => [client.id, client]))
  const tokens = Map.groupBy(await reader.tokensOf(profiles.map(({ id }) => id)), ({ profile }) => profile)
  return profiles.flatMap((profile) => {
    const client = clients.get(profile.parent!)!
    if (tag !== undefined && !hasTag(profile, tag) && !hasTag(client, tag)) return []
    const issued = issuesOf(profile)
    const ownTokens = (tokens.get(profile.id) ?? []).filter(
      (token) => issued !== null && isSigningSecret(token) === (issued === 'secret'),
    )
    const states = [
      ...ownTokens.map((token) => toState(token, bounds.now)),
      ...keyStates(profile.spec['auth'], bounds.now),
    ].filter(({ state }) => state === 'valid' || state === 'expiring_soon')
    return states.flatMap(({ id, created_at, expires_at }) =>
      staleOf('profile', `${client.slug}:${profile.slug}`, id, created_at, expires_at, bounds),
    )
  })
}

async function ofCredentials(bounds: Bounds, tag: string | undefined, { reader }: OperationContext) {
  const credentials = await reader.list({ type: 'credentials', limit: ALL })
  const secrets = Map.groupBy(await reader.secretsOf(credentials.map(({ id }) => id)), ({ owner }) => owner)
  return credentials.flatMap((credential) => {
    if (tag !== undefined && !hasTag(credential, tag)) return []
    const ownSecrets = secrets.get(credential.id) ?? []
    const since = secretChangedAt(credential, ownSecrets)
    const due = rotationDueAt(credential, ownSecrets)
    return staleOf('credential', credential.slug, null, since, expiryOf(credential.spec), bounds, due)
  })
}

function hasTag({ spec }: Resource, tag: string): boolean {
  return (spec['tags'] as readonly string[]).includes(tag)
}

function staleOf(
  type: Stale['type'],
  ref: string,
  credential_id: string | null,
  since: string | null,
  expires_at: string | null,
  { now, oldMs, soonMs }: Bounds,
  due: string | null = null,
): Stale[] {
  const age = since === null ? null : now - Date.parse(since)
  const left = expires_at === null ? Number.POSITIVE_INFINITY : Date.parse(expires_at) - now
  const why: Stale['why'] = []
  if (due !== null && Date.parse(due) <= now) why.push('due')
  const bound = oldMs ?? (due === null ? OLD_MS : Number.POSITIVE_INFINITY)
  if (age !== null && age >= bound) why.push('old')
  if (left <= soonMs) why.push(left <= 0 ? 'expired' : 'expiring')
  if (why.length === 0) return []
  const age_days = age === null ? null : Math.floor(age / DAY_MS)
  return [{ type, ref, credential_id, why, since, age_days, expires_at }]
}
