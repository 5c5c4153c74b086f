import { z } from 'zod'
import {
  type Account,
  type Accounts,
  type Agent,
  type Agents,
  type Arrival,
  isAgentId,
} from '../../access/accounts.ts'
import { findLocalUser, grantsOf } from '../../access/identities.ts'
import type { Principal } from '../../access/principal.ts'
import { intersect } from '../../access/roles.ts'
import type { Clock } from '../../base/clock.ts'
import { newId } from '../../base/ids.ts'
import { canonicalJson } from '../../base/json/canonical.ts'
import { Lru } from '../../base/memory/lru.ts'
import { refuse } from '../../base/refusal.ts'
import { UserSpec } from '../../model/access/access.ts'
import { type BindingSpec, fingerprintOfKeys } from '../../model/access/host.ts'
import { Slug, slugOf } from '../../model/members.ts'
import { NOUNS } from '../../model/resource-types.ts'
import type { ConfigReader, StoredToken } from '../../store/ports/config.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { Via } from '../engine/call.ts'
import type { OperationContext } from '../engine/context.ts'
import { define, type Invoke } from '../engine/define.ts'
import { parseSpec } from '../engine/write-resource.ts'
import { signInKey, userKind } from '../users/kind.ts'
import { membershipsOf, reasonsAmong } from './shared-with.ts'

/** Users whose newest time of issue is remembered. */
const CLAIMS_MAX = 10_000

/** The clock of a provider may be ahead by so much, seconds. */
const CLOCKS_DIFFER_S = 60

/** Users and service identities, as those need them who prove who someone is. */
export function createAccounts(reader: ConfigReader, clock: Clock, invoke: Invoke): Accounts {
  /** Time of issue of the newest claims of each user: an older token gives nobody their groups back. */
  const newestClaims = new Lru<string, number>(CLAIMS_MAX)

  return {
    async find(id) {
      const user = await reader.byId('users', id)
      return user && toAccount(user)
    },

    async findLocal(name) {
      const user = await findLocalUser(reader, name)
      return user && toAccount(user)
    },

    async arrived(issuer, subject) {
      const user = await arrivedBefore(reader, { issuer, subject })
      return user && toAccount(user)
    },

    async arrive({ claimsIssuedAt: told, ...arrival }) {
      const known = await arrivedBefore(reader, arrival)
      // What says that it comes from the future must not make all that follows look old; clocks differ, though, and their order counts
      const latest = Math.floor(clock.now() / 1000) + CLOCKS_DIFFER_S
      const claimsIssuedAt = told === undefined ? undefined : Math.min(told, latest)
      const key = signInKey(arrival)!
      const isLate = claimsIssuedAt !== undefined && claimsIssuedAt < (newestClaims.get(key) ?? 0)
      if (claimsIssuedAt !== undefined && !isLate) newestClaims.set(key, claimsIssuedAt)
      if (known !== undefined) {
        demandActive(known)
        if (isLate) return toAccount(known)
        const isSame = canonicalJson(await specOf(known, arrival, reader)) === canonicalJson(known.spec)
        if (isSame) return toAccount(known)
      }
      await invoke(ARRIVE, arrival, {}, doorOf(arrival), viaOf(clock))
      return toAccount((await arrivedBefore(reader, arrival))!)
    },

    async principalOf(id, { authMethod, expiresAt, ceiling }) {
      const isService = id.startsWith('svc_')
      const account = demandActive(await reader.byId(isService ? 'service_identities' : 'users', id))
      const grants = await grantsOf(reader, id, clock.now())
      return {
        id,
        type: isService ? 'service' : 'user',
        name: account.slug,
        authMethod,
        ...(ceiling === null ? { grants } : { grants: intersect(grants, ceiling), unnarrowed: grants }),
        expiresAt,
      }
    },
  }
}

function demandActive(account: Resource | undefined): Resource {
  if (account?.spec['active'] === true) return account
  const inner = account === undefined ? 'no such account' : `the ${account.type} account is inactive`
  throw refuse('credential_invalid', { inner })
}

function toAccount({ id, slug, name, spec }: Resource): Account {
  // Stored by the schema of this type.
  const { email, active } = spec as UserSpec
  return { id, slug, name, email, active }
}

async function arrivedBefore(
  reader: ConfigReader,
  arrival: Pick<Arrival, 'issuer' | 'subject'>,
): Promise<Resource | undefined> {
  return (await reader.byKey('users', signInKey(arrival)!, null))[0]
}

/** Who acts where someone signs in: nobody yet. */
function doorOf({ issuer }: Arrival): Principal {
  const grants = [{ role: 'admin' }] as const
  return { id: 'system', type: 'system', name: issuer, authMethod: 'sign_in', grants, expiresAt: null }
}

function viaOf(clock: Clock): Via {
  const requestId = newId('req', clock)
  return { surface: 'system', requestId, ip: null, userAgent: null, http: null, agent: null }
}

/** Takes over what an identity provider tells of a user. On no surface. */
const ARRIVE = define({
  resource: 'users',
  action: 'arrive',
  effect: 'update',
  tool: null,
  group: userKind.group,
  summary: 'Update a user from the identity provider; create the user at the first sign-in',
  input: z.strictObject({
    issuer: z.string().min(1).max(512),
    subject: z.string().min(1).max(512),
    email: z.string().nullish(),
    name: z.string().nullish(),
    groups: z.array(z.string()),
    grants: z.array(z.string()),
  }),
  output: z.object({ id: z.string() }),
  permission: 'users:update',
  refuses: ['credential_invalid'],
  columns: [],
  subject: (_input, output) => ({ type: NOUNS.users, id: output?.id ?? null, slug: null }),
  handle: async (arrival, context) => {
    const known = await arrivedBefore(context.reader, arrival)
    if (known !== undefined) {
      const { id } = await context.change.actOn(demandActive(known))
      await context.change.replace(known, { spec: await specOf(known, arrival, context.reader) })
      return { id }
    }
    const id = context.change.newId(userKind)
    const slug = await freeSlug(id, arrival, context)
    const spec = await specOf(undefined, arrival, context.reader)
    await context.change.insert(userKind, { id, slug, parent: null, spec }, true)
    return { id }
  },
})

const MEMBERS = UserSpec.shape

/**
 * What is stored of an arrival: what does not fit is left out, and so is an email that another user has, since that
 * would let whoever claims it there be taken for them here.
 */
async function specOf(
  known: Resource | undefined,
  { issuer, subject, email, name, groups, grants }: Arrival,
  reader: ConfigReader,
): Promise<UserSpec> {
  const { email: emailBefore = null, name: nameBefore = null } = (known?.spec ?? {}) as Partial<UserSpec>
  const judged = MEMBERS.email.safeParse(email === undefined ? emailBefore : email)
  const own = judged.success ? judged.data : null
  const holders = own === null ? [] : await reader.list({ type: 'users', limit: 2, where: { email: own } })
  const fitting = (all: readonly string[], most: number): string[] =>
    [...new Set(all)].filter((text) => text !== '' && text.length <= 256).slice(0, most)
  const called = MEMBERS.name.safeParse((name === undefined ? nameBefore : name) ?? own ?? subject)
  // The exact schema of the kind gives the members their types.
  return parseSpec(UserSpec.omit({ slug: true }), {
    ...known?.spec,
    name: called.success ? called.data : 'Unnamed',
    email: holders.every(({ id }) => id === known?.id) ? own : null,
    issuer,
    subject,
    groups: fitting(groups, 1000),
    mapped_grants: fitting(grants, 100),
  }) as UserSpec
}

/** After the email or the name; with part of the id when that is taken. */
async function freeSlug(id: string, { email, name }: Arrival, context: OperationContext): Promise<string> {
  const wanted = slugOf(email?.split('@')[0] ?? name ?? '')
  const tail = id.slice(-8)
  const slug = Slug.safeParse(wanted).success ? wanted : `user-${tail}`
  const isTaken = (await context.whole.bySlug('users', slug)).length > 0
  return isTaken ? `${slug.slice(0, 54)}-${tail}` : slug
}

type Credential = Agent['credential']

/** Reads bindings as clients of the authorization server. */
export function createAgents(reader: ConfigReader, clock: Clock): Agents {
  /** Null where nothing proves the agent now. */
  async function credentialOf(id: string, { keys = [] }: Partial<BindingSpec>): Promise<Credential | null> {
    const now = clock.now()
    if (keys.length > 0) {
      const live = keys.flatMap(({ retires_at, ...key }) =>
        typeof retires_at === 'string' && Date.parse(retires_at) <= now ? [] : [key],
      )
      if (live.length === 0) return null
      return { name: fingerprintOfKeys(keys), secretHash: null, keys: live, expiresAt: null }
    }
    const token = (await reader.tokensOf([id])).find((one) => isLive(one, now))
    if (token === undefined) return null
    return { name: token.lookup, secretHash: token.hash, keys: [], expiresAt: token.expires_at }
  }

  return {
    async find(id) {
      if (!isAgentId(id)) return undefined
      const binding = await reader.byId('bindings', id)
      if (binding === undefined) return undefined
      // Stored by the schemas of these types
      const spec = binding.spec
      const { active, virtual_mcp, user, acts_for = null } = spec
      const host = await reader.byId('hosts', binding.parent ?? '')
      if (!active || host?.spec?.active !== true) return undefined
      const opened = await reader.byId('virtual_mcps', virtual_mcp)
      const credential = await credentialOf(id, spec)
      if (host === undefined || opened?.status !== 'published' || credential === null) return undefined
      return {
        id,
        host: { id: host.id, slug: host.slug, name: host.name },
        resource: `/mcp/${opened.slug}`,
        user,
        actsForPeople: acts_for !== null,
        credential,
      } satisfies Agent
    },

    async mayActFor({ id }, account) {
      const binding = await reader.byId('bindings', id)
      const user = await reader.byId('users', account)
      const among = binding?.spec?.acts_for ?? null
      if (user === undefined || user.spec.active !== true) return false
      return reasonsAmong(among, account, await membershipsOf(reader, user)).length > 0
    },

    async mayPersonUse(host, resource, account) {
      const found = await reader.byId('hosts', host)
      if (found?.spec?.active !== true) return false
      const [opened] = await reader.bySlug('virtual_mcps', resource.slice('/mcp/'.length))
      return (await reader.all('bindings', host)).every(({ spec }) => {
        const { active, virtual_mcp, user, acts_for = null } = spec
        const isOff = !active && virtual_mcp === opened?.id && acts_for === null
        return !(isOff && (user === null || user === account))
      })
    },
  }
}

function isLive({ revoked_at, expires_at, retires_at }: StoredToken, now: number): boolean {
  return revoked_at === null && (expires_at ?? now + 1) > now && (retires_at ?? now + 1) > now
}
