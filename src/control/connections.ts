/** Accounts of people at origins, as the control plane keeps them. */
import type { Accounts } from '../access/accounts.ts'
import type { OriginAccess } from '../access/mcp-access.ts'
import { createGuardedFetch } from '../base/net/guarded-fetch.ts'
import { SHARED } from '../model/access/caller.ts'
import { createFederation } from '../oauth/federation/federation.ts'
import type {
  ConnectedOrigin,
  ConnectionHappening,
  Federation,
  ManualClient,
} from '../oauth/federation/port.ts'
import type { IdentityExchange } from '../oauth/federation/token-client.ts'
import { asOnlyOneOf } from '../oauth/refresh-claims.ts'
import { createSealed } from '../oauth/server/adapter.ts'
import { createOAuthAudit } from '../oauth/server/audit.ts'
import { createConnectLinks } from '../oauth/server/connect-links.ts'
import type { AuthorizationServerParts } from '../oauth/server/server.ts'
import type { IdentitiesParts } from './identities.ts'

export interface ConnectionsParts
  extends Pick<
    IdentitiesParts,
    'store' | 'clock' | 'egress' | 'state' | 'vault' | 'issuer' | 'warn' | 'fault'
  > {
  readonly accounts: Pick<Accounts, 'find'>
  readonly originAccess: OriginAccess
  readonly manualClient: (credential: string) => Promise<ManualClient | null>
  /** Told of ids of connections that count no longer. */
  readonly ended: AuthorizationServerParts['grantsEnded']
  /** Tokens of people at their identity providers; null without a provider. */
  readonly identityTokens: IdentityExchange | null
  /** A person has connected an account at the origin. */
  readonly connected: (origin: string) => void
}

/** Connects the broker of connections to the stores, the audit trail and the clock of the control plane. */
export function openConnections(parts: ConnectionsParts): Federation {
  const { store, clock, issuer, state, warn, fault } = parts
  const sealed = createSealed(parts.vault.oauthKey())
  const links = createConnectLinks(issuer, sealed, clock)
  const audit = createOAuthAudit(store, clock)

  async function noteRefreshFailure({
    user,
    origin,
    reason,
    issuer: by,
  }: ConnectionHappening): Promise<void> {
    const [account, found] = await Promise.all([parts.accounts.find(user), parts.originAccess.byId(origin)])
    await audit({
      operation: 'refresh_connection',
      actor: { id: user, type: 'user', name: account?.slug ?? user },
      client: '',
      about: { type: 'origin', id: origin, slug: found?.slug ?? origin },
      asker: { ip: null, userAgent: null, requestId: null },
      facts: { ...(by === null ? {} : { issuer: by }), ...(reason === null ? {} : { reason }) },
      denied: 'refresh_failed',
    })
  }

  return createFederation({
    connections: store.read.connections,
    writeConnections: (work) => store.writeOAuth(({ connections }) => work(connections)),
    artifacts: store.read.oauth,
    writeArtifacts: (work) => store.writeOAuth(work),
    asOnlyOne: asOnlyOneOf(store, clock),
    links: state.connecting,
    sealed,
    clock,
    fetch: createGuardedFetch(parts.egress),
    origin: (id) => parts.originAccess.byId(id),
    async mayConnect(user, origin, by) {
      const { offered, shared } = parts.originAccess
      return (await (user === SHARED ? shared(by) : offered(by))).some(({ id }) => id === origin)
    },
    manualClient: async (origin: ConnectedOrigin) => {
      const { client_id: id, client_credential: credential } = origin.oauth
      if (credential !== null) return parts.manualClient(credential)
      return id === null ? null : { id, secret: null }
    },
    postern: issuer,
    ended: parts.ended,
    happened(happening) {
      // The pages at /connect audit what people do
      if (happening.event === 'refresh_failed')
        noteRefreshFailure(happening).catch((error: unknown) => fault(error, ''))
      if (happening.event === 'connected') parts.connected(happening.origin)
    },
    warn,
    pageOf: (slug, user) => links.make(slug, user),
    identity: parts.identityTokens,
  })
}
