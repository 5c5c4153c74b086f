/** Writes what the protocol engine does to the audit trail and to the log, and keeps clients that are used. */
import { errors, type KoaContextWithOIDC, type Provider } from 'oidc-provider'
import type { Accounts, Agents, ServiceClients } from '../../access/accounts.ts'
import type { Clock } from '../../base/clock.ts'
import type { ConfigStore } from '../../store/ports/config.ts'
import { StoreUnavailable } from '../../store/ports/unavailable.ts'
import { errorPage } from '../pages/error.ts'
import { type Asker, askerOf, type Happening, NOBODY } from './audit.ts'
import { CLIENT_KEPT_MS } from './clients.ts'
import { SignInEnded } from './ended-sign-ins.ts'
import { answerPage } from './visit.ts'

export interface ListenParts {
  readonly store: ConfigStore
  readonly accounts: Pick<Accounts, 'find'>
  readonly services: ServiceClients
  readonly agents: Agents
  readonly clock: Clock
  /** Told of a refusal to someone unknown. */
  readonly refused: (asker: Asker, reason: string) => void
  readonly fault: (error: unknown, requestId: string) => void
}

/** Has the trail and the log told of what the engine does, and clients kept that are used. */
export function listen(
  provider: Provider,
  parts: ListenParts,
  audit: (happening: Happening) => Promise<void>,
): void {
  showEndings(provider)
  const finish = finishWithin(provider)
  const note: Note = (context, happening) =>
    finish(context, async () => {
      const noted = await happening()
      if (noted !== null) await audit({ ...noted, asker: askerOf(context) })
    })
  keepUsedClients(provider, parts, finish)
  listenToTokens(provider, parts, note)
  listenToRegistrations(provider, note)
  listenToRefusals(provider, parts, note)
  provider.silent = true
  provider.on('server_error', (context, error) => parts.fault(error, askerOf(context).requestId ?? ''))
}

/** The engine writes the session of a browser after the answer is made, and beyond its own handler of errors. */
function showEndings(provider: Provider): void {
  provider.use(async (context, next) => {
    try {
      await next()
    } catch (error) {
      if (!(error instanceof SignInEnded)) throw error
      context.status = error.status
      answerPage(context, errorPage(error.error, error.error_description))
    }
  })
}

/** Does what is to be done before the answer to a request leaves. */
type Finish = (context: KoaContextWithOIDC, work: () => Promise<void>) => void

/** Notes in the trail what happened in a request, before the response; null for nothing. */
type Note = (context: KoaContextWithOIDC, happening: () => Promise<Omit<Happening, 'asker'> | null>) => void

function finishWithin(provider: Provider): Finish {
  const pending = new WeakMap<object, Promise<void>[]>()
  provider.use(async (context, next) => {
    const work: Promise<void>[] = []
    pending.set(context.req, work)
    await next()
    await Promise.all(work).catch((error: unknown) => {
      if (!(error instanceof StoreUnavailable)) throw error
      // What cannot be noted is not answered
      context.status = error.status
      context.body = { error: 'temporarily_unavailable', error_description: error.message }
    })
  })
  return (context, work) => pending.get(context.req)?.push(work())
}

const DAY_MS = 24 * 60 * 60_000

function keepUsedClients(provider: Provider, { store, clock }: ListenParts, finish: Finish): void {
  const keep = async (id: string): Promise<void> => {
    const kept = await store.read.oauth.artifact('Client', id)
    const end = clock.now() + CLIENT_KEPT_MS
    // To the day is enough
    if (kept !== undefined && (kept.expires_at ?? 0) + DAY_MS < end)
      await store.writeOAuth((oauth) => oauth.prolong('Client', id, clock.now(), end))
  }
  provider.on('grant.success', (context) => {
    const { client } = context.oidc
    if (client !== undefined) finish(context, () => keep(client.clientId))
  })
}

/** Whose code a request has brought. The engine ends the grant of a code that came again, and the code with it, before it says whose it was. */
function ownersOfCodes(provider: Provider): (context: KoaContextWithOIDC) => string | undefined {
  const { AuthorizationCode } = provider
  // Its static member has the request that is being answered
  const engine = provider.constructor as typeof Provider
  const owners = new WeakMap<object, string>()
  const find = AuthorizationCode.find.bind(AuthorizationCode)
  Object.assign(AuthorizationCode, {
    async find(...given: Parameters<typeof find>) {
      // Its type lacks what the model keeps
      const code = (await find(...given)) as { readonly accountId?: string } | undefined
      const context = engine.ctx
      if (context !== undefined && code?.accountId !== undefined) owners.set(context.req, code.accountId)
      return code
    },
  })
  return ({ req }) => owners.get(req)
}

function listenToTokens(provider: Provider, parts: ListenParts, note: Note): void {
  const ownerOfCode = ownersOfCodes(provider)
  provider.on('grant.success', (context) => {
    const { params, client, account, entities } = context.oidc
    const kind = String(params?.['grant_type'])
    if (kind === 'refresh_token') return
    const { AccessToken: ofUser, ClientCredentials: ofService } = entities
    const token = ofUser ?? ofService
    const service = ofService && (account?.accountId ?? ofService.clientId)
    note(context, async () => {
      const agent = await parts.agents.find(client?.clientId ?? '')
      return {
        operation: 'issue_token',
        actor:
          service === undefined ? await userOf(ofUser?.accountId, parts) : await serviceOf(service, parts),
        client: client?.clientId ?? '',
        facts: {
          grant_type: kind,
          resource: String(token?.aud ?? ''),
          scope: token?.scope ?? '',
          ...(agent === undefined ? {} : { agent: agent.host.id }),
        },
      }
    })
  })
  provider.on('grant.revoked', (context, grant) => {
    const { oidc } = context
    const { client, entities } = oidc
    const token = entities.RefreshToken ?? entities.AccessToken ?? entities.AuthorizationCode
    note(context, async () => ({
      operation: 'revoke',
      actor: await userOf(token?.accountId ?? ownerOfCode(context), parts),
      client: client?.clientId ?? '',
      facts: { grant, ...(oidc.route === 'token' ? { reason: USED_AGAIN } : {}) },
    }))
  })
}

/** Why a token request ends a grant (RFC 9700 section 4.14.2, RFC 6749 section 4.1.2). */
const USED_AGAIN = 'a code or refresh token was used a second time'

async function userOf(id: string | undefined, { accounts }: ListenParts): Promise<Happening['actor']> {
  if (id === undefined) return NOBODY
  return { id, type: 'user', name: (await accounts.find(id))?.slug ?? id }
}

async function serviceOf(ref: string, { services, agents, clock }: ListenParts): Promise<Happening['actor']> {
  const agent = await agents.find(ref)
  if (agent !== undefined) return { id: agent.host.id, type: 'service', name: agent.host.slug }
  const found = await services.find(ref, clock.now())
  return { id: found?.id ?? ref, type: 'service', name: found?.slug ?? ref }
}

function listenToRegistrations(provider: Provider, note: Note): void {
  provider.on('registration_create.success', (context, { clientId, clientName, redirectUris }) =>
    note(context, async () => ({
      operation: 'register_client',
      actor: NOBODY,
      client: clientId,
      facts: { name: clientName ?? '', redirect_uris: redirectUris?.join(' ') ?? '' },
    })),
  )
}

const REFUSALS = [
  'authorization.error',
  'grant.error',
  'registration_create.error',
  'revocation.error',
  'introspection.error',
  'device_authorization.error',
] as const

/** What a device hears until its user has agreed: nobody was refused anything. */
const WAITING = new Set(['authorization_pending', 'slow_down'])

function listenToRefusals(provider: Provider, parts: ListenParts, note: Note): void {
  for (const name of REFUSALS)
    provider.on(name as 'grant.error', (context: KoaContextWithOIDC, error: Error) => {
      const reason = error instanceof errors.OIDCProviderError ? error.error : error.name
      if (WAITING.has(reason)) return
      const gather = (): void =>
        parts.refused(askerOf(context), `${name.slice(0, -'.error'.length)}: ${reason}`)
      if (name !== 'grant.error' || !(error instanceof errors.OIDCProviderError) || UNPROVEN.has(reason))
        return gather()
      note(context, async () => {
        const happening = await refusedClient(context, error, parts)
        if (happening === null) gather()
        // The grant has noted it, with what it knows of the reason
        return reason === 'access_denied' ? null : happening
      })
    })
}

/** What is thrown before a client has proved itself. */
const UNPROVEN: ReadonlySet<string> = new Set(['invalid_client', 'invalid_request', 'unsupported_grant_type'])

/** A refused token request of an agent or a service identity; null for any other client, which anybody can register. */
async function refusedClient(
  { oidc: { client, params } }: KoaContextWithOIDC,
  { error, error_description: said, error_detail: fault = said ?? error }: errors.OIDCProviderError,
  parts: ListenParts,
): Promise<Omit<Happening, 'asker'> | null> {
  const id = client?.clientId ?? ''
  const isKnown =
    (await parts.agents.find(id)) !== undefined ||
    (id !== '' && (await parts.services.find(id, parts.clock.now())) !== undefined)
  if (!isKnown) return null
  return {
    operation: 'issue_token',
    actor: await serviceOf(id, parts),
    client: id,
    facts: { grant_type: String(params?.['grant_type']), fault },
    denied: error,
  }
}
