/** Builds the control plane: identities, operations and interfaces. */
import type { RequestListener } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { CONSOLE_SESSION_MS } from '../access/console-sessions.ts'
import type { OAuthTokens } from '../access/oauth-tokens.ts'
import { permits, UNPLACED } from '../access/roles.ts'
import type { Protected } from '../base/doors.ts'
import { bearerOf } from '../base/http/fields.ts'
import { type AllowsOrigin, namesOf, type Origins } from '../base/http/origins.ts'
import type { Plain } from '../base/json/storable.ts'
import type { GetJson } from '../base/net/fetch-json.ts'
import { Refusal, refuse, toProblem } from '../base/refusal.ts'
import type { RefusedCallers } from '../fleet/shared/messages.ts'
import { factsOf, PREAMBLE } from '../fleet/shared/preamble.ts'
import type { ConsoleCall, ConsoleCaller, SignInProof } from '../model/access/caller.ts'
import type { Federation, ManualClient } from '../oauth/federation/port.ts'
import { CONSOLE_CLIENT_ID } from '../oauth/server/clients.ts'
import type { DocumentMode } from '../oauth/server/documents.ts'
import { createEndings, type Endings } from '../oauth/server/ended-sign-ins.ts'
import type { AuthorizationServerParts } from '../oauth/server/server.ts'
import { createOriginAccess } from '../operations/access/mcp-access.ts'
import { createUnauthenticatedAudit, type UnauthenticatedAudit } from '../operations/audit/audit.ts'
import { expireChangeRequests } from '../operations/change-requests/change-requests.ts'
import type { Invoke } from '../operations/engine/define.ts'
import { checkForChange } from '../operations/engine/fragments.ts'
import { createInvoke, type InvokeDeps } from '../operations/engine/invoke.ts'
import { mayCall } from '../operations/engine/permission.ts'
import { createSecretLinks, type SecretLinks } from '../operations/engine/resource-secrets.ts'
import { createExportJobs } from '../operations/exports/jobs.ts'
import { createScrape } from '../operations/metrics/metrics.ts'
import { OPERATIONS, REGISTRY } from '../operations/registry.ts'
import { createMcpListing } from '../operations/virtual-mcps/listed.ts'
import { createAuditTrail, type RetentionRule } from '../record/audit-chain.ts'
import type { ExpositionFormat } from '../record/exposition.ts'
import { networkOf } from '../snapshot/find/network.ts'
import type { AuditMark } from '../store/ports/audit-chain.ts'
import type { ExportStore } from '../store/ports/exports.ts'
import { StoreUnavailable } from '../store/ports/unavailable.ts'
import { type BundleSource, createBundle } from '../surfaces/console/bundle.ts'
import { callbacksOf, createConsole, LOGIN_PATH } from '../surfaces/console/door.ts'
import { createManagementDoor, type ManagementDoorOptions } from '../surfaces/mcp/door.ts'
import { createRegistry } from '../surfaces/mcp-registry/answer.ts'
import { createRestApp } from '../surfaces/rest/app.ts'
import { answerSecretPage, SECRETS_ROOT } from '../surfaces/secrets/page.ts'
import { VERSION } from '../version.ts'
import { CallerMemory, callerMemoryMax } from '../wire/caller-memory.ts'
import { openConnections } from './connections.ts'
import { createConsoleCallers } from './console-callers.ts'
import { createDocPages } from './doc-pages.ts'
import { createEndedGrants, type EndedGrants, type EndingNodes, PROOF_MS } from './ended-grants.ts'
import { forgetForeignGroups } from './foreign-groups.ts'
import {
  createIdentities,
  type Identities,
  type IdentitiesParts,
  openIdentityTokens,
  useFirst,
} from './identities.ts'
import { issuedBy } from './identity-provider.ts'
import { createControlListener } from './listener.ts'
import {
  createLocalTokens,
  type IssuedToken,
  parseReset,
  type SetUpLink,
  setUpUrl,
  toSetUpLink,
} from './local-socket.ts'
import { createOAuthDoor } from './oauth-door.ts'
import { createOriginOutages, createOriginWatch, type OriginWatch } from './origin-probing.ts'
import { isAsked, refreshOrigin, refreshOrigins } from './origin-refresh.ts'
import { noteRefusedCallers } from './refused-callers-audit.ts'

export interface ControlPlaneOptions
  extends Omit<
      InvokeDeps,
      | 'authorizations'
      | 'registry'
      | 'check'
      | 'trail'
      | 'localSignIn'
      | 'mappedGrants'
      | 'exports'
      | 'egress'
      | 'fault'
      | 'grantsEnded'
      | 'connectionEnded'
    >,
    Omit<IdentitiesParts, 'consoleLoginUrl'> {
  /** The mark of the audit trail. */
  readonly mark: AuditMark
  /** Where the files of exports are kept. */
  readonly exportStore: ExportStore
  /** Where management is reached; the first one is named where nothing tells of another. */
  readonly managementOrigins: Origins
  /** Where the console is reached. */
  readonly consoleOrigins: Origins
  /** Where the listeners are reached, by callers and on this machine. */
  readonly ownOrigins: readonly string[]
  /** Directory of the files of the console. */
  readonly consoleFiles: string
  /** Pages that may call management. */
  readonly allowsOrigin: AllowsOrigin
  /** The text of the metrics page. */
  readonly metricsPage: (format: ExpositionFormat) => string
  readonly sessionKey: Uint8Array
  /** How OAuth clients are known by the URL of a document, and what fetches these. */
  readonly documentMode: DocumentMode
  readonly pins: ReadonlyMap<string, Plain>
  readonly fetchPublic: GetJson
  /** The client that a credential of type basic is at an authorization server; null for any other credential. */
  readonly manualClient: (credential: string) => Promise<ManualClient | null>
  /** The other processes that share the store; null where there can be none. */
  readonly endingNodes: EndingNodes | null
  /** Tells the gateway threads which origins cannot be reached, by id. */
  readonly tellOriginsDown: (origins: readonly string[]) => void
}

export interface ControlPlane {
  /** What comes over the private socket. */
  readonly listener: RequestListener
  /** Id of the principal that an access token of management stands for; null for none. Never rejects. */
  readonly prove: (token: string, resource: Protected) => Promise<string | null>
  /** What an access token for an MCP endpoint of gateway threads proves. Never rejects. */
  readonly signIn: (token: string, resource: `/mcp${string}`) => Promise<SignInProof>
  /** The token or key that a person, or all callers, have connected at an origin; see {@link Federation}. Never rejects. */
  readonly connection: Federation['answer']
  /** For whom a request of the console calls a virtual MCP. Never rejects. */
  readonly consoleCaller: (call: ConsoleCall) => Promise<ConsoleCaller>
  /** Issues an access token, as `postern token` does. */
  readonly issueToken: (input: unknown) => Promise<IssuedToken>
  /** Makes the link by which a new installation gets its administrator; null when it needs none. */
  readonly firstLink: () => Promise<SetUpLink | null>
  /** Makes a link for a local user or a new administrator, as `postern admin reset` does. */
  readonly resetLink: (input: unknown) => Promise<SetUpLink>
  /** Notes callers that MCP endpoints have refused. */
  readonly refusedCallers: (refused: RefusedCallers) => void
  /** Writes what has been gathered of refused callers into the audit; all of it with `rest`. */
  readonly flush: (rest?: boolean) => Promise<void>
  /** Removes groups that name another provider than that of their user. */
  readonly forgetForeignGroups: () => Promise<void>
  /** What other processes that share the store have ended. */
  readonly endedElsewhere: Pick<EndedGrants, 'catchUp' | 'read'>
  /** Signs the audit trail as it stands. */
  readonly checkpoint: () => Promise<void>
  /** Removes the files of exports that have expired. */
  readonly sweepExports: () => Promise<void>
  /** Removes from the store what sign-ins, tokens and change requests have left and nobody can use any more. */
  readonly sweepStore: () => Promise<void>
  /** Reads catalogues of origins that are due. */
  readonly refreshOrigins: () => Promise<unknown>
  /** Reads catalogues of origins that give a reason to. */
  readonly originWatch: OriginWatch
  /** Ends the calls that wait for a person, and takes no more of them. */
  readonly endQuestions: () => void
  /** Ends what works on without being asked. */
  readonly stop: () => Promise<void>
  /** Removes audit entries that have been kept long enough. */
  readonly retain: (rule: RetentionRule) => Promise<unknown>
}

/** Who may do what, the operations, and the surfaces that project them. */
export function createControlPlane(options: ControlPlaneOptions): ControlPlane {
  const { store, clock, fault } = options
  const unknown = createUnauthenticatedAudit(store, clock)
  const endedGrants = createEndedGrants({
    ...options,
    reader: store.read.oauth,
    nodes: options.endingNodes,
    elsewhere: (id) => surfaces.sessionEnded(id),
  })
  const trail = createAuditTrail(store, clock, options.vault.trailKey(), options.mark)
  const exports = createExportJobs({
    store: options.exportStore,
    clock,
    records: options.records,
    reader: store.read,
    fault,
  })
  const invoke = createInvoke({
    ...options,
    registry: REGISTRY,
    trail,
    authorizations: { find: (origin) => connections.authorization(origin) },
    exports,
    localSignIn: options.isLocalSignIn ? { setUpUrl: (token) => setUpUrl(options.issuer, token) } : null,
    mappedGrants: options.providers.flatMap(({ roleMap }) => roleMap.map(({ grant }) => grant)),
    check: checkForChange,
    grantsEnded: endedGrants.end,
    connectionEnded: (connection) => void connections.revoke(connection),
  })
  const identityTokens = openIdentityTokens(options)
  const bundle = createBundle(options.consoleFiles, () => clock.monotonic())
  const identities = createIdentities(
    {
      ...options,
      consoleLoginUrl: async () =>
        (await bundle.read()) === null ? null : options.consoleOrigins[0] + LOGIN_PATH,
    },
    invoke,
    unknown,
    identityTokens && {
      async keep(account, tokens) {
        await identityTokens.keep(account, tokens)
        const parts = { originAccess, connections: store.read.connections, federation: connections }
        // A sign-in does not wait for origins
        useFirst(account, parts).catch(refreshing.fault)
      },
    },
  )
  const originAccess = createOriginAccess(store.read, identities.accounts)
  const endings = createEndings(store)
  const connections = openConnections({
    ...options,
    store: endings.store,
    accounts: identities.accounts,
    originAccess,
    identityTokens,
    ended: endedGrants.end,
    // The first account may tell what the origin offers
    connected: (origin) => void refreshOrigin(origin, refreshing).catch(refreshing.fault),
  })
  const surfaces = openSurfaces(
    { ...options, endings, endedGrants, originAccess, federation: connections, bundle },
    invoke,
    identities,
    unknown,
  )
  let isStopped = false
  const refreshing = {
    ...options,
    invoke,
    isStopped: () => isStopped,
    fault: (error: unknown) => fault(error, 'origins'),
  }
  return {
    listener: surfaces.listener,
    prove: (token, resource) =>
      identities.proven(token, resource).then(
        ({ id }) => id,
        // The request itself is refused, and its reason noted, when it is judged
        () => null,
      ),
    signIn: proveSignIns(identities.oauth, options),
    connection(...asked) {
      options.state.endedGrants.vouched(clock.now())
      return connections.answer(...asked)
    },
    consoleCaller: surfaces.consoleCaller,
    refusedCallers: noteRefusedCallers(store.read, unknown, fault),
    issueToken: createLocalTokens(identities.tokens, clock),
    ...linksOf(options, identities),
    flush: (rest) => unknown.flush(rest).finally(() => identities.personal.flush()),
    forgetForeignGroups: () => forgetForeignGroups(options.providers, store.read, identities.accounts),
    endedElsewhere: endedGrants,
    checkpoint: () => trail.checkpoint(),
    sweepExports: () => exports.sweep(),
    async sweepStore() {
      await store.writeOAuth((oauth) => oauth.sweep(clock.now()))
      await expireChangeRequests(store, clock)
    },
    refreshOrigins: () => refreshOrigins(refreshing),
    originWatch: createOriginWatch({
      ...refreshing,
      async refresh(origin) {
        const came = await refreshOrigin(origin, refreshing)
        return came && came.isOutage !== true
      },
      outages: createOriginOutages({ ...refreshing, tell: options.tellOriginsDown }, isAsked),
    }),
    endQuestions: surfaces.endQuestions,
    stop() {
      isStopped = true
      return exports.stop()
    },
    retain: (rule) => trail.retain(rule),
  }
}

/** Verifies tokens of people at MCP endpoints for gateway threads. */
function proveSignIns(
  tokens: Pick<OAuthTokens, 'signedIn'>,
  { state, clock, fault }: Pick<ControlPlaneOptions, 'state' | 'clock' | 'fault'>,
): ControlPlane['signIn'] {
  return (token, resource) =>
    tokens.signedIn(token, resource).then(
      (proved): SignInProof => {
        const now = clock.now()
        state.endedGrants.vouched(now)
        return { ok: true, ...proved, until: Math.min(proved.until, now + PROOF_MS) }
      },
      (error: unknown): SignInProof => {
        if (error instanceof Refusal && error.status === 401)
          return {
            ok: false,
            code: error.code === 'credential_expired' ? 'credential_expired' : 'credential_invalid',
            reason: error.facts.inner ?? error.code,
          }
        if (!(error instanceof StoreUnavailable)) fault(error, '')
        return { ok: false, code: 'identity_unavailable', reason: 'the configuration store cannot be read' }
      },
    )
}

function linksOf(
  { isLocalSignIn, issuer }: ControlPlaneOptions,
  { links }: Identities,
): Pick<ControlPlane, 'firstLink' | 'resetLink'> {
  return {
    async firstLink() {
      const issued = isLocalSignIn ? await links.first() : null
      return issued && toSetUpLink(issuer, issued)
    },
    async resetLink(input) {
      if (!isLocalSignIn)
        throw refuse('configuration_invalid', {
          detail: 'Local sign-in is off: start with POSTERN_LOCAL_SIGN_IN=on to use a set-up link.',
        })
      return toSetUpLink(issuer, await links.reset(parseReset(input)))
    },
  }
}

function openSurfaces(
  {
    bundle,
    endings,
    endedGrants,
    ...options
  }: ControlPlaneOptions &
    Pick<AuthorizationServerParts, 'originAccess' | 'federation'> & {
      readonly bundle: BundleSource
      readonly endings: Endings
      readonly endedGrants: Pick<EndedGrants, 'end'>
    },
  invoke: Invoke,
  identities: Identities,
  unknown: UnauthenticatedAudit,
) {
  const { store, clock, fault } = options
  const { authenticate, pages } = identities
  const memory = new CallerMemory(callerMemoryMax(1))
  const keep = (principal: string) => memory.open(principal)
  const secretLinks = createSecretLinks(options.state.secretLinks, store, clock)
  const issued = issuedBy(options.issuer, options.providers)
  const rest = createRestApp({
    operations: OPERATIONS,
    invoke,
    gatewayOrigin: options.gatewayOrigin,
    origins: options.managementOrigins,
    ...issued,
    authenticate: (token, via) => authenticate(token, 'rest', via),
    session: (value, via) => identities.authenticateSession(value, 'rest', via),
    scrape: createScrape(options.metricsPage),
    keep,
    facts: factsOf,
    log: fault,
  })
  const mcp = createManagementDoor({
    operations: OPERATIONS,
    invoke,
    authenticate: ({ authorization, ip }) =>
      authenticate(bearerOf(authorization), 'mcp', { surface: 'management_mcp', ip, userAgent: null }),
    allowed: mayCall,
    link: linkWith(secretLinks, options),
    reveals: (principal) => permits(principal, 'profiles:reveal', UNPLACED),
    sealKey: options.sessionKey,
    tombstones: options.state.tombstones,
    usedReplies: options.state.usedReplies,
    origins: options.managementOrigins,
    allowsOrigin: options.allowsOrigin,
    scope: issued.scope,
    version: VERSION,
    docs: createDocPages(),
    clock,
    fault,
  })
  const oauth = createOAuthDoor({
    ...options,
    ...endings,
    consoleCallbacks: callbacksOf(options.consoleOrigins.flatMap(namesOf)),
    ...identities,
    throttle: options.state.throttle,
    grantsEnded: endedGrants.end,
    tokens: identities.oauth,
    key: options.vault.oauthKey(),
    networkOf,
    refused: ({ ip, userAgent }, reason) => unknown.note({ surface: 'oauth', ip, userAgent, reason }),
  })
  const { sessions } = identities
  const callers = createConsoleCallers({ sessions, tokens: oauth, clock, fault })
  const consolePages = createConsole({
    bundle,
    origins: options.consoleOrigins,
    issuer: options.issuer,
    clientId: CONSOLE_CLIENT_ID,
    sessionMs: CONSOLE_SESSION_MS,
    redeem: oauth.redeem,
    signedOut: oauth.signedOut,
    sessions: {
      ...sessions,
      async end(value) {
        // In this order: nobody is given a token of a session that is over
        const ended = await sessions.end(value)
        await callers.ended(value)
        return ended
      },
    },
    facts: factsOf,
    fault,
  })
  return {
    listener: createControlListener({
      rest: getRequestListener(rest.fetch, { overrideGlobalObjects: false }),
      mcp,
      oauth: oauth.listener,
      console: getRequestListener(consolePages, { overrideGlobalObjects: false }),
      registry: createRegistry({
        listed: createMcpListing(store.read),
        authenticate: (token, via) => authenticate(token, 'rest', via),
        gatewayOrigin: options.gatewayOrigin,
        origins: options.managementOrigins,
        scope: issued.scope,
        fault,
      }),
      signInPages: pages && getRequestListener(pages, { overrideGlobalObjects: false }),
      page: (request) => answerSecretPage(secretLinks, request, fault),
      keep,
      fault,
    }),
    consoleCaller: callers.answer,
    sessionEnded: callers.endedElsewhere,
    endQuestions: () => mcp.close(),
  }
}

/** Puts a secret that an answer shows once behind a link, for who reads with a model. */
function linkWith(
  links: SecretLinks,
  { managementOrigin, fault }: ControlPlaneOptions,
): ManagementDoorOptions['link'] {
  return async (secret, member, subject, principal, via) => {
    try {
      const token = await links.keep(secret, { subject, member }, principal, via)
      return token && `${managementOrigin}${SECRETS_ROOT}${token}`
    } catch (error) {
      // What made the secret has happened: its answer stands without a link
      fault(error, via.requestId)
      return null
    }
  }
}

function notConnected(reason: string): ControlPlane['connection'] {
  return () => Promise.resolve({ ok: false, code: 'credential_unavailable', reason, page: null })
}

/**
 * Without a store nobody can be known and nothing can be changed: everything is refused with the reason.
 * @param reason a sentence without paths: callers are unknown here
 */
export function createClosedControlPlane(reason: string): ControlPlane {
  const refusal = refuse('store_unavailable', { detail: reason })
  return {
    listener: (request, response) => {
      const id = request.headers[PREAMBLE.requestId]
      response.writeHead(refusal.status, {
        'content-type': 'application/problem+json',
        'cache-control': 'no-store',
        connection: 'close',
      })
      const problem = toProblem(refusal, typeof id === 'string' ? id : '')
      response.end(JSON.stringify(problem))
    },
    prove: () => Promise.resolve(null),
    signIn: () => Promise.resolve({ ok: false, code: 'identity_unavailable', reason }),
    consoleCaller: () => Promise.resolve({ ok: false, code: 'store_unavailable', detail: reason }),
    connection: notConnected(reason),
    refusedCallers() {},
    issueToken: () => Promise.reject(refusal),
    firstLink: () => Promise.resolve(null),
    resetLink: () => Promise.reject(refusal),
    flush: () => Promise.resolve(),
    forgetForeignGroups: () => Promise.resolve(),
    endedElsewhere: { read: 0, catchUp: () => Promise.resolve(true) },
    checkpoint: () => Promise.resolve(),
    sweepExports: () => Promise.resolve(),
    sweepStore: () => Promise.resolve(),
    refreshOrigins: () => Promise.resolve(),
    originWatch: { news() {}, failed() {}, tick: () => Promise.resolve() },
    endQuestions() {},
    stop: () => Promise.resolve(),
    retain: () => Promise.resolve(),
  }
}
