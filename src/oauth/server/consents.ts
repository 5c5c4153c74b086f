/** What people have agreed to for each client, sealed in the store. */
import type { Configuration, Grant, Provider } from 'oidc-provider'
import type { McpAccess, McpOffer, OriginAccess } from '../../access/mcp-access.ts'
import { isTickedByHand } from '../../access/scopes.ts'
import type { Clock } from '../../base/clock.ts'
import { isConsumer, type ProtectedResources } from '../../base/http/origins.ts'
import { isExchanging } from '../../model/mcp/origin.ts'
import type { ConfigStore } from '../../store/ports/config.ts'
import type { OAuthReader } from '../../store/ports/oauth.ts'
import type { Federation, ShownConnection } from '../federation/port.ts'
import type { Sealed } from './adapter.ts'
import { CLIENT_KEPT_MS, isLocalRedirect, isOwnClient } from './clients.ts'
import { hostOf } from './hosts.ts'

const KIND = 'Consent'
/** Consents, and the profile of a grant, are kept as long as a grant lives. */
const KEPT_MS = 90 * 24 * 60 * 60 * 1000

/** What someone has agreed to for a client: scopes of OpenID Connect, and those of each resource. */
interface Agreed {
  readonly openid: string
  readonly resources: Readonly<Record<string, string>>
  /** Scopes that were left unticked the last time they were asked for. Earlier versions did not keep them. */
  readonly declined?: string
  /** What was offered at MCP endpoints and agreed to, by resource: id of the virtual MCP, or of the profile that was picked. */
  readonly offers?: Readonly<Record<string, string>>
}

type Context = Parameters<NonNullable<Configuration['loadExistingGrant']>>[0]

export interface Consents {
  /** Keeps what was agreed to in a grant, beside what was before and was not declined now. */
  remember(grant: Grant, offers?: Readonly<Record<string, string>>): Promise<void>
  /** Forgets what this account agreed to for this client. */
  forget(account: string, client: string): Promise<void>
  /** Scopes that this account left unticked for this client, the last time they were asked for. */
  declined(account: string, client: string): Promise<ReadonlySet<string>>
  /** The grant of an authorization: what was just agreed to, or a new one of what was agreed to before. */
  grantFor(context: Context): Promise<Grant | undefined>
}

export interface ConsentsParts {
  readonly store: ConfigStore
  readonly sealed: Sealed
  readonly clock: Clock
  readonly resources: Pick<ProtectedResources, 'find'>
  readonly mcp: Pick<McpAccess, 'offer' | 'host'>
  readonly profiles: Pick<GrantProfiles, 'keep'>
  readonly needed: NeededAccounts
}

/** What accounts have agreed to, sealed in the store. */
export function createConsents(parts: ConsentsParts): Consents {
  const { store, sealed, clock } = parts
  const idOf = (account: string, client: string): string => sealed.hash(`${account}\n${client}`)

  async function agreed(
    account: string,
    client: string,
    reader: Pick<OAuthReader, 'artifact'> = store.read.oauth,
  ): Promise<Agreed | undefined> {
    const id = idOf(account, client)
    const found = await reader.artifact(KIND, id)
    if (found === undefined || (found.expires_at ?? 0) <= clock.now()) return undefined
    // Only remember seals these.
    return JSON.parse(sealed.open(found.sealed, KIND, id)) as Agreed
  }

  return {
    async remember(grant, offers = {}) {
      const { accountId: account = '', clientId: client = '' } = grant
      const names = Object.keys(grant.resources ?? {})
      const allowed = [grant.getOIDCScope(), ...names.map((name) => grant.getResourceScope(name))].join(' ')
      const rejected = [
        grant.getRejectedOIDCScope(),
        ...Object.keys(grant.rejected?.resources ?? {}).map((name) => grant.getRejectedResourceScope(name)),
      ].join(' ')
      const id = idOf(account, client)
      const now = clock.now()
      await store.writeOAuth(async (oauth) => {
        // Inside of the transaction: the same person may agree to something else at the same time
        const before = await agreed(account, client, oauth)
        const resources: Record<string, string> = { ...before?.resources }
        for (const name of [...Object.keys(resources), ...names])
          resources[name] = without(
            joined(resources[name] ?? '', grant.getResourceScope(name)),
            grant.getRejectedResourceScope(name),
          )
        const text = JSON.stringify({
          openid: without(joined(before?.openid ?? '', grant.getOIDCScope()), grant.getRejectedOIDCScope()),
          resources,
          declined: without(joined(before?.declined ?? '', rejected), allowed),
          offers: { ...before?.offers, ...offers },
        } satisfies Agreed)
        // Those that nobody used give way first
        await oauth.prolong('Client', client, now, now + CLIENT_KEPT_MS)
        await oauth.put({
          kind: KIND,
          id,
          sealed: sealed.seal(text, KIND, id),
          grant_id: null,
          other_id: null,
          account_id: account,
          created_at: now,
          expires_at: now + KEPT_MS,
          used_at: null,
        })
      })
    },

    async forget(account, client) {
      await store.writeOAuth((oauth) => oauth.remove(KIND, idOf(account, client)))
    },

    async declined(account, client) {
      const before = await agreed(account, client)
      return new Set((before?.declined ?? '').split(' ').filter((scope) => scope !== ''))
    },

    async grantFor({ oidc }) {
      const provider = oidc.provider as Provider
      const given = oidc.result?.consent?.grantId
      if (given !== undefined) return provider.Grant.find(given)
      const { client, account } = oidc
      if (client === undefined || account === undefined) return undefined
      if (isOwnClient(client.clientId)) return ownGrant(provider, client.clientId, account.accountId)
      // Whoever receives its redirects, or began at a device, could be any program: it is asked about each time
      const redirect = oidc.params?.redirect_uri
      if (typeof redirect !== 'string' || isLocalRedirect(redirect)) return undefined
      if (client.applicationType === 'native') return undefined
      // What is ticked by hand is ticked anew each time
      if ([...oidc.requestParamScopes].some(isTickedByHand)) return undefined
      const before = await agreed(account.accountId, client.clientId)
      if (before === undefined || !covers(before, oidc)) return undefined
      const offered = await offeredStill(before, oidc, parts)
      if (offered === null) return undefined
      const grant = new provider.Grant({ accountId: account.accountId, clientId: client.clientId })
      if (before.openid !== '') grant.addOIDCScope(before.openid)
      for (const [name, scope] of Object.entries(before.resources)) grant.addResourceScope(name, scope)
      const id = await grant.save()
      if (offered.profile !== null) await parts.profiles.keep(id, account.accountId, offered.profile)
      return grant
    },
  }
}

/** For the pages of Postern itself: they learn who has signed in, and ask for no token. */
async function ownGrant(provider: Provider, clientId: string, accountId: string): Promise<Grant> {
  const grant = new provider.Grant({ accountId, clientId })
  grant.addOIDCScope('openid')
  // No token comes of the code that belongs to it
  // As all models of the engine; its types leave the parameter out
  await (grant as { save(seconds: number): Promise<string> }).save(OWN_GRANT_SECONDS)
  return grant
}

const OWN_GRANT_SECONDS = 60

/**
 * What the person agreed to at the MCP endpoint of a request, where the person may use it still and the host was not deleted; without a
 * profile for a virtual MCP and for management. Null where the person is to be asked: a virtual MCP or profile that was made later
 * under the name of another is not what the person agreed to.
 */
async function offeredStill(
  { offers }: Agreed,
  { resourceServers, client, account }: Context['oidc'],
  { resources, mcp, needed }: Pick<ConsentsParts, 'resources' | 'mcp' | 'needed'>,
): Promise<{ readonly profile: string | null } | null> {
  const named = Object.keys(resourceServers ?? {}).flatMap((name) => {
    const resource = resources.find(name)
    return resource !== null && isConsumer(resource) ? [{ resource, agreed: offers?.[name] }] : []
  })
  const [one] = named
  if (one === undefined) return { profile: null }
  if (named.length > 1 || one.agreed === undefined || (await hostOf(client!, mcp)) === undefined) return null
  const offer = await mcp.offer(account!.accountId, one.resource)
  if (offer?.kind === 'virtual_mcp') {
    if (offer.id !== one.agreed) return null
    const isComplete = !(await needed.of(account!.accountId, offer)).some(({ isMissing }) => isMissing)
    return isComplete ? { profile: null } : null
  }
  const isOffered = offer?.profiles.some(({ id }) => id === one.agreed) === true
  return isOffered ? { profile: one.agreed } : null
}

function covers({ openid, resources }: Agreed, oidc: Context['oidc']): boolean {
  const holds = (text: string, wanted: Iterable<string>): boolean => {
    const scopes = new Set(text.split(' '))
    return [...wanted].every((one) => scopes.has(one))
  }
  if (!holds(openid, oidc.requestParamOIDCScopes)) return false
  const others = [...oidc.requestParamScopes].filter((one) => !oidc.requestParamOIDCScopes.has(one))
  return Object.keys(oidc.resourceServers ?? {}).every((name) => holds(resources[name] ?? '', others))
}

function joined(a: string, b: string): string {
  return [...new Set(`${a} ${b}`.split(' '))].filter((word) => word !== '').join(' ')
}

function without(text: string, removed: string): string {
  const words = new Set(removed.split(' '))
  return text
    .split(' ')
    .filter((word) => !words.has(word))
    .join(' ')
}

// The accounts at origins that a person needs for a virtual MCP. An origin that cannot be reached never keeps a person from
// signing in.

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

// The profile that a person has chosen for the tokens of a grant at `/mcp`.

const PROFILE_KIND = 'GrantProfile'

/** Which profile a person has picked for the tokens of a grant at `/mcp`. */
export interface GrantProfiles {
  keep(grant: string, account: string, profile: string): Promise<void>
  of(grant: string): Promise<string | null>
}

export function createGrantProfiles(store: ConfigStore, sealed: Sealed, clock: Clock): GrantProfiles {
  return {
    async keep(grant, account, profile) {
      const now = clock.now()
      await store.writeOAuth((oauth) =>
        oauth.put({
          kind: PROFILE_KIND,
          id: grant,
          sealed: sealed.seal(profile, PROFILE_KIND, grant),
          grant_id: grant,
          other_id: null,
          account_id: account,
          created_at: now,
          expires_at: now + KEPT_MS,
          used_at: null,
        }),
      )
    },
    async of(grant) {
      const found = await store.read.oauth.artifact(PROFILE_KIND, grant)
      return found === undefined ? null : sealed.open(found.sealed, PROFILE_KIND, grant)
    },
  }
}
