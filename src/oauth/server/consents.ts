import type { Configuration, Grant, Provider } from 'oidc-provider'
import { isTickedByHand } from '../../access/scopes.ts'
import type { Clock } from '../../base/clock.ts'
import type { ConfigStore } from '../../store/ports/config.ts'
import { CLIENT_KEPT_MS, isLocalRedirect } from './clients.ts'
import type { GrantProfiles } from './grant-profiles.ts'
import type { Sealed } from './sealed.ts'

const KIND = 'Consent'
const KEPT_MS = 90 * 24 * 60 * 60 * 1000

/** What someone has agreed to for a client: scopes of OpenID Connect, and those of each resource. */
interface Agreed {
  readonly openid: string
  readonly resources: Readonly<Record<string, string>>
  /** Scopes that were left unticked the last time they were asked for. Earlier versions did not keep them. */
  readonly declined?: string
  /** Ids of the profiles that were picked, by resource; absent where there was nothing to pick. */
  readonly profiles?: Readonly<Record<string, string>>
}

type Context = Parameters<NonNullable<Configuration['loadExistingGrant']>>[0]

export interface Consents {
  /** Keeps what was agreed to in a grant, beside what was before and was not declined now. */
  remember(grant: Grant, profiles?: Readonly<Record<string, string>>): Promise<void>
  /** Scopes that this account left unticked for this client, the last time they were asked for. */
  declined(account: string, client: string): Promise<ReadonlySet<string>>
  /** The grant of an authorization: what was just agreed to, or a new one of what was agreed to before. */
  grantFor(context: Context): Promise<Grant | undefined>
}

/** What accounts have agreed to, sealed in the store. */
export function createConsents(
  store: ConfigStore,
  sealed: Sealed,
  clock: Clock,
  picked: Pick<GrantProfiles, 'keep'>,
): Consents {
  const idOf = (account: string, client: string): string => sealed.hash(`${account}\n${client}`)

  async function agreed(account: string, client: string): Promise<Agreed | undefined> {
    const id = idOf(account, client)
    const found = await store.read.oauth.artifact(KIND, id)
    if (found === undefined || (found.expires_at ?? 0) <= clock.now()) return undefined
    // Only remember seals these.
    return JSON.parse(sealed.open(found.sealed, KIND, id)) as Agreed
  }

  return {
    async remember(grant, profiles = {}) {
      const { accountId: account = '', clientId: client = '' } = grant
      const before = await agreed(account, client)
      const resources: Record<string, string> = { ...before?.resources }
      for (const name of [...Object.keys(resources), ...Object.keys(grant.resources ?? {})])
        resources[name] = without(
          joined(resources[name] ?? '', grant.getResourceScope(name)),
          grant.getRejectedResourceScope(name),
        )
      const names = Object.keys(grant.resources ?? {})
      const allowed = [grant.getOIDCScope(), ...names.map((name) => grant.getResourceScope(name))].join(' ')
      const rejected = [
        grant.getRejectedOIDCScope(),
        ...Object.keys(grant.rejected?.resources ?? {}).map((name) => grant.getRejectedResourceScope(name)),
      ].join(' ')
      const id = idOf(account, client)
      const text = JSON.stringify({
        openid: without(joined(before?.openid ?? '', grant.getOIDCScope()), grant.getRejectedOIDCScope()),
        resources,
        declined: without(joined(before?.declined ?? '', rejected), allowed),
        profiles: { ...before?.profiles, ...profiles },
      } satisfies Agreed)
      const now = clock.now()
      await store.writeOAuth(async (oauth) => {
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
      // Whoever receives its redirects, or began at a device, could be any program: it is asked about each time
      const redirect = oidc.params?.redirect_uri
      if (typeof redirect !== 'string' || isLocalRedirect(redirect)) return undefined
      if (client.applicationType === 'native') return undefined
      // What is ticked by hand is ticked anew each time
      if ([...oidc.requestParamScopes].some(isTickedByHand)) return undefined
      const before = await agreed(account.accountId, client.clientId)
      if (before === undefined || !covers(before, oidc)) return undefined
      const grant = new provider.Grant({ accountId: account.accountId, clientId: client.clientId })
      if (before.openid !== '') grant.addOIDCScope(before.openid)
      for (const [name, scope] of Object.entries(before.resources)) grant.addResourceScope(name, scope)
      const id = await grant.save()
      const profile = Object.keys(oidc.resourceServers ?? {}).flatMap(
        (name) => before.profiles?.[name] ?? [],
      )[0]
      if (profile !== undefined) await picked.keep(id, account.accountId, profile)
      return grant
    },
  }
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
