import type { RequestListener } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import type { KeysOf } from '../access/issuer-keys.ts'
import { createOAuthTokens } from '../access/oauth-tokens.ts'
import { createPersonalTokens } from '../access/personal-tokens.ts'
import { permits, UNPLACED } from '../access/roles.ts'
import { createServiceClients } from '../access/service-clients.ts'
import { createSetUpLinks } from '../access/set-up-links.ts'
import { createAccessTokens } from '../access/tokens.ts'
import { createWorkloadTokens } from '../access/workload.ts'
import { bearerOf } from '../base/bearer.ts'
import { createGuardedFetch } from '../base/guarded-fetch.ts'
import type { Plain } from '../base/plain.ts'
import type { GetJson } from '../base/public-fetch.ts'
import { refuse, toProblem } from '../base/refusal.ts'
import type { DocumentMode } from '../oauth/server/documents.ts'
import { createOidcSignIn } from '../oauth/sign-in/oidc.ts'
import { createSignIn } from '../oauth/sign-in/sign-in.ts'
import { createAccounts } from '../operations/access/accounts.ts'
import { createLocalUsers } from '../operations/access/local-users.ts'
import { createExportJobs } from '../operations/exports/jobs.ts'
import { createInvoke, type InvokeDeps, mayCall } from '../operations/invoke.ts'
import { OPERATIONS } from '../operations/registry.ts'
import { createSecretLinks } from '../operations/secret-links.ts'
import { createUnauthenticatedAudit } from '../operations/unauthenticated.ts'
import { createAuditTrail } from '../record/audit-chain.ts'
import type { RetentionRule } from '../record/audit-retention.ts'
import type { ExportFiles } from '../record/export-files.ts'
import { checkFragment } from '../snapshot/check.ts'
import { networkOf } from '../snapshot/network.ts'
import { createManagementDoor } from '../surfaces/mcp/door.ts'
import { createRestApp } from '../surfaces/rest/app.ts'
import { answerSecretPage, SECRETS_ROOT } from '../surfaces/secrets/page.ts'
import { heldBytesMax } from '../threads/held-bytes-max.ts'
import { createTombstones } from '../threads/tombstones.ts'
import { VERSION } from '../version.ts'
import { HeldBytes } from '../wire/held-bytes.ts'
import { createAuthenticate } from './authenticate.ts'
import { createControlListener } from './control.ts'
import { createDocPages } from './doc-pages.ts'
import type { IssuedToken } from './local.ts'
import { createLocalTokens } from './local-tokens.ts'
import { createOAuthDoor } from './oauth.ts'
import { type IdentityProvider, issuedBy, openAssertions, openDirect } from './oidc.ts'
import { PREAMBLE } from './preamble.ts'
import { parseReset, type SetUpLink, setUpUrl, toSetUpLink } from './set-up-link.ts'

export interface ControlPlaneOptions extends Omit<InvokeDeps, 'check' | 'trail' | 'localSignIn' | 'exports'> {
  /** Where the files of exports are kept. */
  readonly exportFiles: ExportFiles
  readonly origin: string
  /** Whether local users sign in by their passwords. */
  readonly isLocalSignIn: boolean
  /** Where people reach the pages on which they choose passwords. */
  readonly setUpOrigin: string
  /** The identity provider at which people sign in; null without one. */
  readonly oidc: IdentityProvider | null
  /** Takes a sentence for the operator. */
  readonly warn: (sentence: string) => void
  /** Where people reach the pages of management. */
  readonly linkOrigin: string
  /** Ended MCP sessions, shared with the gateway threads. */
  readonly tombstones: SharedArrayBuffer
  readonly sessionKey: Uint8Array
  /** Keys of those who sign tokens of workloads. */
  readonly keysOf: KeysOf
  /** How OAuth clients are known by the URL of a document, and what fetches these. */
  readonly documentMode: DocumentMode
  readonly pins: ReadonlyMap<string, Plain>
  readonly fetchPublic: GetJson
  readonly fault: (error: unknown, requestId: string) => void
}

export interface ControlPlane {
  /** What comes over the private socket. */
  readonly listener: RequestListener
  /** Issues an access token, as `postern token` does. */
  readonly issueToken: (input: unknown) => Promise<IssuedToken>
  /** Makes the link by which a new installation gets its administrator; null when it needs none. */
  readonly firstLink: () => Promise<SetUpLink | null>
  /** Makes a link for a local user or a new administrator, as `postern admin reset` does. */
  readonly resetLink: (input: unknown) => Promise<SetUpLink>
  /** Writes what has been gathered of unknown callers into the audit; all of it with `rest`. */
  readonly flush: (rest?: boolean) => Promise<void>
  /** Signs the audit trail as it stands. */
  readonly checkpoint: () => Promise<void>
  /** Forgets what sign-ins, tokens and exports have left behind and nobody can use any more. */
  readonly sweep: () => Promise<void>
  /** Ends the calls that wait for a person, and takes no more of them. */
  readonly endQuestions: () => void
  /** Ends what works on without being asked. */
  readonly stop: () => Promise<void>
  /** Removes audit entries that have been kept long enough. */
  readonly retain: (rule: RetentionRule) => Promise<unknown>
}

/** Who may do what, the operations, and the surfaces that project them. */
export function createControlPlane(options: ControlPlaneOptions): ControlPlane {
  const { store, clock, origin, sessionKey, fault } = options
  const tokens = createAccessTokens(store, clock)
  const unknownCallers = createUnauthenticatedAudit(store, clock)
  const memory = new HeldBytes(heldBytesMax(1))
  const keep = (principal: string) => memory.open(principal)
  const secretLinks = createSecretLinks(store, clock)
  const trail = createAuditTrail(store, clock, options.vault.trailKey())
  const localSignIn = options.isLocalSignIn
    ? { setUpUrl: (token: string) => setUpUrl(options.setUpOrigin, token) }
    : null
  const exports = createExportJobs({
    files: options.exportFiles,
    clock,
    records: options.records,
    reader: store.read,
    fault,
  })
  const invoke = createInvoke({ ...options, trail, localSignIn, exports, check: checkFragment })
  const links = createSetUpLinks(store, clock)
  const accounts = createAccounts(store.read, clock, invoke)
  const personal = createPersonalTokens(store, clock, accounts)
  const workloads = createWorkloadTokens(store.read, clock, options.keysOf)
  const { oidc: provider, warn } = options
  const oidc = provider && {
    name: new URL(provider.issuer).host,
    signIn: createOidcSignIn({ provider, origin, clock, fetch: createGuardedFetch(), accounts, warn }),
  }
  const oauthTokens = createOAuthTokens(store.read, clock, accounts, origin)
  const authenticate = createAuthenticate(
    tokens,
    personal,
    workloads,
    oauthTokens,
    openDirect(provider, origin, clock, options.keysOf, accounts),
    unknownCallers,
  )
  const { signIn, pages } = createSignIn({
    store,
    clock,
    origin,
    accounts,
    oidc,
    links,
    users: createLocalUsers(clock, invoke),
    isLocal: options.isLocalSignIn,
    noteUnknown: unknownCallers.note,
    networkOf,
    facts: (request) => ({ ...factsOf(request), userAgent: request.headers.get('user-agent') }),
    fault,
  })
  const issued = issuedBy(origin, provider)
  const rest = createRestApp({
    operations: OPERATIONS,
    invoke,
    origin,
    ...issued,
    authenticate: (token, via) => authenticate(token, 'rest', via),
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
    link: async (secret, member, subject, principal, via) => {
      try {
        const token = await secretLinks.keep(secret, { subject, member }, principal, via)
        return token && `${options.linkOrigin}${SECRETS_ROOT}${token}`
      } catch (error) {
        // What made the secret has happened: its answer stands without a link
        fault(error, via.requestId)
        return null
      }
    },
    reveals: (principal) => permits(principal, 'profiles:reveal', UNPLACED),
    sealKey: sessionKey,
    tombstones: createTombstones(options.tombstones),
    origin,
    scope: issued.scope,
    version: VERSION,
    docs: createDocPages(),
    clock,
    fault,
  })
  const oauth = createOAuthDoor({
    issuer: origin,
    store,
    clock,
    key: options.vault.oauthKey(),
    accounts,
    workloads,
    tokens: oauthTokens,
    assertions: openAssertions(provider, origin, clock, options.keysOf, accounts),
    documentMode: options.documentMode,
    pins: options.pins,
    fetchPublic: options.fetchPublic,
    warn,
    services: createServiceClients(store.read, (...place) => options.vault.open(...place).reveal()),
    signIn,
    networkOf,
    refused: ({ ip, userAgent }, reason) => unknownCallers.note({ surface: 'oauth', ip, userAgent, reason }),
    fault,
  })
  return {
    listener: createControlListener({
      rest: getRequestListener(rest.fetch, { overrideGlobalObjects: false }),
      mcp,
      oauth,
      signInPages: pages && getRequestListener(pages, { overrideGlobalObjects: false }),
      page: (request) => answerSecretPage(secretLinks, request, fault),
      keep,
      fault,
    }),
    issueToken: createLocalTokens(tokens, clock),
    async firstLink() {
      const issued = options.isLocalSignIn ? await links.first() : null
      return issued && toSetUpLink(options.setUpOrigin, issued)
    },
    async resetLink(input) {
      if (!options.isLocalSignIn)
        throw refuse('configuration_invalid', {
          detail: 'Local sign-in is off: start with POSTERN_LOCAL_SIGN_IN=on to use a set-up link.',
        })
      return toSetUpLink(options.setUpOrigin, await links.reset(parseReset(input)))
    },
    flush: (rest) => unknownCallers.flush(rest).finally(() => personal.flush()),
    checkpoint: () => trail.checkpoint(),
    async sweep() {
      exports.sweep()
      await store.write(({ oauth }) => oauth.sweep(clock.now()))
    },
    endQuestions: () => mcp.close(),
    stop: () => exports.stop(),
    retain: (rule) => trail.retain(rule),
  }
}

function factsOf({ headers }: Request): { readonly requestId: string; readonly ip: string | null } {
  return { requestId: headers.get(PREAMBLE.requestId) ?? '', ip: headers.get(PREAMBLE.peer) }
}

/** Without a store nobody can be known and nothing can be changed: everything is refused with the reason. */
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
      // Callers of the control plane are not known here: where the files lie is for the log alone.
      const problem = toProblem(refuse('store_unavailable'), typeof id === 'string' ? id : '')
      response.end(JSON.stringify(problem))
    },
    issueToken: () => Promise.reject(refusal),
    firstLink: () => Promise.resolve(null),
    resetLink: () => Promise.reject(refusal),
    flush: () => Promise.resolve(),
    checkpoint: () => Promise.resolve(),
    sweep: () => Promise.resolve(),
    endQuestions() {},
    stop: () => Promise.resolve(),
    retain: () => Promise.resolve(),
  }
}
