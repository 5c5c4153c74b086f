import { z } from 'zod'
import { CONSOLE_SESSION } from '../../access/console-sessions.ts'
import { writeGrant } from '../../access/grant-text.ts'
import { toGrant } from '../../access/identities.ts'
import type { Permission } from '../../access/principal.ts'
import { toTime } from '../../base/clock.ts'
import type { GrantSpec } from '../../model/access/access.ts'
import type { BindingSpec } from '../../model/access/host.ts'
import { refersTo } from '../../model/annotations.ts'
import { Time } from '../../model/members.ts'
import type { ConfigReader, StoredPersonalToken } from '../../store/ports/config.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { Memberships, Reason } from '../access/shared-with.ts'
import { Connection, connectionViews } from '../connections/connections.ts'
import type { OperationContext } from '../engine/context.ts'
import { endTokens } from '../hosts/kind.ts'
import { personalTokenViews } from '../personal-tokens/personal-tokens.ts'

/** Why the user has an item. */
export const Because = z
  .array(
    z.object({
      by: z
        .enum(['all_users', 'user', 'team', 'group', 'claim'])
        .describe(
          'all_users: it is shared with all users; user: it names the user; team: it names a team; group: it names a group of the identity provider; claim: a claim of the identity provider is mapped to it',
        ),
      name: z.string().nullable().describe('Slug of the team, or the group'),
      path: z.array(z.string()).describe('Teams from the team of the user to the named team'),
      text: z.string().describe('The same as text, such as team tier-2 > support'),
    }),
  )
  .describe('Reasons why the user has it')

/** What the user may administer, as `access/identities` counts it. */
export const grantsPart = definePart({
  name: 'grants',
  permission: 'grants:read',
  item: z.object({
    grant: z.string().describe('Compact form, such as modifier:proxies@payments'),
    name: z.string().nullable().describe('Slug of the grant; null for a mapped claim'),
    expires_at: Time.nullable(),
    because: Because,
  }),
  columns: ['grant', 'name', 'expires_at', 'because.text'],
  show: async (person, context) => {
    const { groups, mapped_grants } = person.user.spec
    const { whole } = context
    const found = await shown(
      await whole.all('grants', person.user.id),
      { by: 'user', name: null, path: [] },
      context,
    )
    for (const { team, path } of person.own.values()) {
      const reason: Reason = { by: 'team', name: team.slug, path }
      found.push(...(await shown(await whole.all('grants', team.id), reason, context)))
    }
    for (const group of groups) {
      const reason: Reason = { by: 'group', name: group, path: [] }
      found.push(...(await shown(await whole.byKey('grants', group, null), reason, context)))
    }
    const claim: Reason = { by: 'claim', name: null, path: [] }
    return [
      ...found,
      ...mapped_grants.map((grant) => ({ grant, name: null, expires_at: null, because: toBecause([claim]) })),
    ]
  },
  end: async ({ id }, { whole, change }) => {
    const grants = await whole.all('grants', id)
    for (const grant of grants) await change.remove(grant)
    return grants.map(({ slug }) => slug)
  },
})

/** Grants that count now. */
async function shown(grants: readonly Resource[], reason: Reason, { whole, clock }: OperationContext) {
  const found = []
  for (const { slug, spec } of grants) {
    // Stored by the schema of this type
    const { role, scope, expires_at } = spec as GrantSpec
    if (expires_at !== null && Date.parse(expires_at) <= clock.now()) continue
    const { scope: judged } = await toGrant(whole, role, scope)
    const slugs = await whole.slugs([role, ...judged.collections])
    found.push({
      grant: writeGrant(role, judged, slugs),
      name: slug,
      expires_at,
      because: toBecause([reason]),
    })
  }
  return found
}

export const bindingsPart = definePart({
  name: 'bindings',
  permission: 'bindings:read',
  item: z.object({
    binding: z.string().describe('host:binding'),
    virtual_mcp: z.string().meta(refersTo('virtual_mcps')),
    active: z.boolean().describe('false: the binding or its host is inactive'),
    tokens: z.int().describe('Number of tokens that act for the user'),
  }),
  columns: ['binding', 'virtual_mcp', 'active', 'tokens'],
  show: async ({ user }, { whole, clock }) => {
    const found = await bindingsOf(user, whole)
    const tokens = await whole.tokensOf(found.map(({ id }) => id))
    const slugs = await whole.slugs(found.flatMap(({ spec }) => String(spec['virtual_mcp'])))
    const shown = []
    for (const binding of found) {
      const host = await whole.byId('hosts', binding.parent ?? '')
      // Stored by the schema of this type
      const { active, virtual_mcp } = binding.spec as BindingSpec
      shown.push({
        binding: `${host?.slug ?? ''}:${binding.slug}`,
        virtual_mcp: slugs.get(virtual_mcp) ?? virtual_mcp,
        active: active && host?.spec['active'] === true,
        tokens: tokens.filter(
          ({ profile, revoked_at, expires_at }) =>
            profile === binding.id && revoked_at === null && (expires_at ?? Infinity) > clock.now(),
        ).length,
      })
    }
    return shown
  },
  end: async (user, context) => {
    const ended: string[] = []
    for (const binding of await bindingsOf(user, context.whole)) {
      if ((await endTokens(binding, context)) === 0) continue
      const host = await context.whole.byId('hosts', binding.parent ?? '')
      ended.push(`${host?.slug ?? ''}:${binding.slug}`)
    }
    return ended
  },
})

async function bindingsOf({ id }: Resource, reader: Pick<ConfigReader, 'usersOf'>): Promise<Resource[]> {
  return (await reader.usersOf(id)).filter(({ type, spec }) => type === 'bindings' && spec['user'] === id)
}

export const personalTokensPart = definePart({
  name: 'personal_tokens',
  permission: 'users:read',
  item: z.object({
    id: z.string(),
    name: z.string(),
    grants: z.array(z.string()).describe('Empty: all that the user may do'),
    expires_at: Time,
    last_used_at: Time.nullable(),
  }),
  columns: ['id', 'name', 'grants', 'expires_at', 'last_used_at'],
  show: async ({ user }, { whole, clock }) => {
    const tokens = await personalTokensOf(user, whole, clock.now())
    return (await personalTokenViews(whole, tokens)).map(
      ({ id, name, grants, expires_at, last_used_at }) => ({
        ...{ id, name, grants, expires_at, last_used_at },
      }),
    )
  },
  end: async (user, { whole, change, clock }) => {
    const now = clock.now()
    const tokens = await personalTokensOf(user, whole, now)
    for (const token of tokens) {
      await change.writer.putAccessToken({ ...token, revoked_at: now })
      change.tell({ op: 'add', path: `/personal_tokens/${token.id}/revoked_at`, value: toTime(now) })
    }
    return tokens.map(({ id, name }) => `${name} (${id})`)
  },
})

const PAGE = 200

/** All that still work. */
async function personalTokensOf(
  { id: owner }: Resource,
  reader: Pick<ConfigReader, 'personalTokens'>,
  now: number,
): Promise<StoredPersonalToken[]> {
  const found: StoredPersonalToken[] = []
  for (let after: string | undefined; ; ) {
    const some = await reader.personalTokens({
      owner,
      limit: PAGE,
      ...(after === undefined ? {} : { after }),
    })
    found.push(...some.filter(({ expires_at }) => expires_at > now))
    if (some.length < PAGE) return found
    after = some.at(-1)!.id
  }
}

/** What the authorization server keeps of an account, by its names there. */
const ISSUED = { session: 'Session', console: CONSOLE_SESSION, application: 'Grant' } as const

export const signInsPart = definePart({
  name: 'sign_ins',
  permission: 'users:read',
  item: z.object({
    kind: z
      .enum(['password', 'session', 'console', 'application'])
      .describe(
        'password: of a local user; session: of a browser; console: session of the web console; application: a client that the user has allowed, with its tokens',
      ),
    count: z.int(),
  }),
  columns: ['kind', 'count'],
  show: async ({ user }, context) => {
    const password = (await context.whole.password(user.id)) === undefined ? 0 : 1
    const counts = [{ kind: 'password' as const, count: password }, ...(await issuedTo(user, context))]
    return counts.filter(({ count }) => count > 0)
  },
  end: async (user, context) => {
    const { change } = context
    // From here on until the change has committed, nothing is issued for the user
    await change.writer.joinOAuth()
    const issued = await issuedTo(user, context)
    await change.endSignIns(user.id)
    const hadPassword = await change.secrets.removePassword(user)
    return [
      ...(hadPassword ? ['password'] : []),
      ...issued
        .filter(({ count }) => count > 0)
        .map(({ kind, count }) => `${count} ${kind}${count === 1 ? '' : 's'}`),
    ]
  },
})

async function issuedTo({ id }: Resource, { whole, clock }: Pick<OperationContext, 'whole' | 'clock'>) {
  const kinds = Object.keys(ISSUED) as readonly (keyof typeof ISSUED)[]
  return Promise.all(
    kinds.map(async (kind) => ({
      kind,
      count: await whole.oauth.countOfAccount(ISSUED[kind], id, clock.now()),
    })),
  )
}

/** Connections of one user that are read at once. */
const ALL = 10_000

export const connectionsPart = definePart({
  name: 'connections',
  permission: 'users:read',
  item: Connection.omit({ user: true }),
  columns: ['origin', 'kind', 'state', 'active', 'account_label'],
  show: async ({ user }, { whole }) => {
    const found = await whole.connections.list({ user: user.id }, ALL)
    return (await connectionViews(whole, found)).map(({ user: _, ...shown }) => shown)
  },
  end: async ({ id }, { whole, change }) => {
    const found = await whole.connections.list({ user: id }, ALL)
    const slugs = await whole.slugs(found.map(({ origin }) => origin))
    for (const { origin } of found) await change.endConnection(id, origin)
    return found.map(({ origin }) => slugs.get(origin) ?? origin)
  },
})

/** A user, with the teams that decide what is shared with them. */
export interface Person {
  readonly user: Resource<'users'>
  readonly own: Memberships
}

/** One part of what a user holds: `users.reach` shows it, and `users.offboard` ends it. */
export interface Part {
  /** Member of the answer of `users.reach`. */
  readonly name: string
  /** What the caller needs to be shown the part. */
  readonly permission: Permission
  readonly item: z.ZodObject
  /** Columns of its table, as paths into an item. */
  readonly columns: readonly string[]
  /** What the user holds now, also where it does not work because the user is inactive. */
  readonly show: (person: Person, context: OperationContext) => Promise<readonly object[]>
  /**
   * Ends it in the transaction of the context; gives the names of what has ended. Null where it ends with another part. The user is
   * inactive already, and is given as stored last.
   */
  readonly end: ((user: Resource, context: OperationContext) => Promise<readonly string[]>) | null
}

/** Types a part by the schema of its items. */
export function definePart<I extends z.ZodObject>(
  part: Omit<Part, 'item' | 'show'> & {
    readonly item: I
    readonly show: (person: Person, context: OperationContext) => Promise<readonly z.output<I>[]>
  },
): Part {
  return part
}

/** Reasons as their schema has them. */
export function toBecause(reasons: readonly Reason[]): z.output<typeof Because> {
  return reasons.map((reason) => {
    const { by, name, path } = reason
    return { by, name, path: [...path], text: inWords(reason) }
  })
}

function inWords({ by, name, path }: Reason): string {
  switch (by) {
    case 'all_users':
      return 'all users'
    case 'user':
      return 'names the user'
    case 'team':
      return `team ${path.join(' > ')}`
    case 'group':
      return `group ${name}`
    case 'claim':
      return 'mapped claim'
  }
}
