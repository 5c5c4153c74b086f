/** All ways in which a caller proves its identity to the control plane. */

import { createServiceClients } from '../access/accounts.ts'
import { createAuthenticate, createPersonalTokens, createVerifyToken } from '../access/authenticate.ts'
import { createConsoleSessions } from '../access/console-sessions.ts'
import type { OriginAccess } from '../access/mcp-access.ts'
import { createOAuthTokens } from '../access/oauth-tokens.ts'
import { createSetUpLinks } from '../access/set-up-links.ts'
import { createAccessTokens } from '../access/tokens.ts'
import { createWorkloadTokens, type KeysOf } from '../access/workload.ts'
import type { Clock } from '../base/clock.ts'
import type { Protected } from '../base/doors.ts'
import { SESSION_MARK } from '../base/http/fields.ts'
import type { ProtectedResources } from '../base/http/origins.ts'
import type { Egress } from '../base/net/egress.ts'
import { createGuardedFetch } from '../base/net/guarded-fetch.ts'
import { factsOf } from '../fleet/shared/preamble.ts'
import { isExchanging } from '../model/mcp/origin.ts'
import type { Federation } from '../oauth/federation/port.ts'
import { asOnlyOneOf } from '../oauth/refresh-claims.ts'
import { createSealed } from '../oauth/server/adapter.ts'
import { createArrivalTickets, SET_UP } from '../oauth/server/arrival-tickets.ts'
import { createIdentityTokens, type KeptIdentityTokens } from '../oauth/sign-in/identity-tokens.ts'
import { createOidcSignIn } from '../oauth/sign-in/oidc.ts'
import { createSignIn } from '../oauth/sign-in/sign-in.ts'
import { createAccounts, createAgents } from '../operations/access/accounts.ts'
import { createLocalUsers } from '../operations/access/local-users.ts'
import { createMcpAccess } from '../operations/access/mcp-access.ts'
import type { UnauthenticatedAudit } from '../operations/audit/audit.ts'
import type { Invoke } from '../operations/engine/define.ts'
import { networkOf } from '../snapshot/find/network.ts'
import type { ConfigStore } from '../store/ports/config.ts'
import type { ConnectionReader } from '../store/ports/connections.ts'
import type { Vault } from '../vault/vault.ts'
import { type IdentityProvider, openAssertions, openDirect } from './identity-provider.ts'
import type { ControlState } from './origin-probing.ts'

export interface IdentitiesParts {
  readonly store: ConfigStore
  readonly clock: Clock
  /** What may be asked. */
  readonly egress: Egress
  readonly state: ControlState
  readonly vault: Vault
  /** The origin of the authorization server. */
  readonly issuer: string
  /** Where management is reached, for people. */
  readonly managementOrigin: string
  readonly resources: ProtectedResources
  /** Where the console signs people in; null while there is no console. */
  readonly consoleLoginUrl: () => Promise<string | null>
  /** The identity providers at which people sign in, in the order of their buttons. */
  readonly providers: readonly IdentityProvider[]
  /** Whether local users sign in by their passwords. */
  readonly isLocalSignIn: boolean
  /** Keys of those who sign tokens of workloads. */
  readonly keysOf: KeysOf
  /** Takes a sentence for the operator. */
  readonly warn: (sentence: string) => void
  readonly fault: (error: unknown, requestId: string) => void
}

export type Identities = ReturnType<typeof createIdentities>

/** Everybody who can prove who they are to the control plane, and how they do it. */
export function createIdentities(
  parts: IdentitiesParts,
  invoke: Invoke,
  unknown: UnauthenticatedAudit,
  identityTokens: Pick<KeptIdentityTokens, 'keep'> | null,
) {
  const { store, clock, vault, issuer, providers, keysOf, isLocalSignIn: isLocal, warn, fault } = parts
  const { resources, state } = parts
  const accounts = createAccounts(store.read, clock, invoke)
  const links = createSetUpLinks(store, clock)

  const tokens = createAccessTokens(store, clock)
  const personal = createPersonalTokens(store, clock, accounts)
  const sessions = createConsoleSessions(store, clock, accounts)
  const workloads = createWorkloadTokens(store.read, clock, keysOf)
  const oauth = createOAuthTokens(store.read, clock, accounts, issuer, resources)
  const direct = openDirect(providers, resources, clock, keysOf, accounts)
  const verify = createVerifyToken(tokens, personal, workloads, oauth, direct)

  const arrivals = createArrivalTickets({ store, clock, sealed: createSealed(vault.oauthKey()) })
  const guardedFetch = createGuardedFetch(parts.egress)
  const signInAt = (provider: IdentityProvider) => ({
    slug: provider.slug,
    name: provider.name,
    issuer: provider.issuer,
    signIn: createOidcSignIn({
      provider,
      origin: issuer,
      clock,
      fetch: guardedFetch,
      accounts,
      signIns: state.signIns,
      warn,
      keepTokens: identityTokens?.keep,
    }),
  })
  const { signIn, pages } = createSignIn({
    store,
    clock,
    origin: issuer,
    managementOrigin: parts.managementOrigin,
    onToConsole: {
      loginUrl: parts.consoleLoginUrl,
      ticket: (account) => arrivals.issue(SET_UP, account),
    },
    accounts,
    providers: providers.map(signInAt),
    links,
    users: createLocalUsers(clock, invoke),
    isLocal,
    throttle: state.throttle,
    noteUnknown: unknown.note,
    networkOf,
    facts: (request) => ({ ...factsOf(request), userAgent: request.headers.get('user-agent') }),
    fault,
  })

  return {
    accounts,
    links,
    tokens,
    sessions,
    personal,
    workloads,
    oauth,
    mcp: createMcpAccess(store.read, clock, invoke),
    agents: createAgents(store.read, clock),
    direct,
    services: createServiceClients(store.read, (...place) => vault.open(...place).reveal()),
    assertions: openAssertions(providers, issuer, clock, keysOf, accounts),
    verify,
    /** The same for what stands for a caller where capacity is shared out: a token, or a session of the console. */
    proven: (token: string, resource: Protected) =>
      token.startsWith(SESSION_MARK)
        ? sessions.verify(token.slice(SESSION_MARK.length))
        : verify(token, resource),
    authenticate: createAuthenticate(verify, unknown),
    /** Proves who asks by a session of the console. */
    authenticateSession: createAuthenticate((value) => sessions.verify(value), unknown),
    signIn,
    /** On which local users choose their passwords; null where they do not sign in. */
    pages,
  }
}

/** The tokens of people at their identity providers; null without a provider. */
export function openIdentityTokens({
  providers,
  store,
  clock,
  egress,
  vault,
}: Pick<IdentitiesParts, 'providers' | 'store' | 'clock' | 'egress' | 'vault'>): KeptIdentityTokens | null {
  if (providers.length === 0) return null
  return createIdentityTokens({
    providers,
    clock,
    fetch: createGuardedFetch(egress),
    artifacts: store.read.oauth,
    writeArtifacts: (work) => store.writeOAuth(work),
    asOnlyOne: asOnlyOneOf(store, clock),
    sealed: createSealed(vault.oauthKey()),
    isWanted: async () => {
      const origins = await store.read.all('origins')
      return origins.some(({ spec }) => spec['active'] === true && isExchanging(spec['auth_mode']))
    },
  })
}

export interface FirstUseParts {
  readonly originAccess: Pick<OriginAccess, 'offered'>
  readonly connections: Pick<ConnectionReader, 'usable'>
  readonly federation: Pick<Federation, 'answer'>
}

/** After a sign-in: gets a token of the person for each origin that has no token of anyone yet, so that Postern can read its catalogue. */
export async function useFirst(
  account: string,
  { originAccess, connections, federation }: FirstUseParts,
): Promise<void> {
  for (const { id, active, mode } of await originAccess.offered(account)) {
    if (!active || !isExchanging(mode)) continue
    if ((await connections.usable(id, 1)).length === 0) await federation.answer(account, id, null)
  }
}
