/**
 * Exchanges the token of a workload, which a trust rule accepts, for an access token for one resource (RFC 8693), and
 * the token of a person for one with which an agent acts in the person's name.
 */
import { errors, type Provider, type TokenEndpointGrantContext } from 'oidc-provider'
import type { Agent, Agents } from '../../access/accounts.ts'
import type { McpAccess } from '../../access/mcp-access.ts'
import { type DirectTokens, type OAuthTokens, TRUST_RULE } from '../../access/oauth-tokens.ts'
import { DEFAULT_SCOPE, MCP_SCOPES, SCOPES } from '../../access/scopes.ts'
import type { WorkloadTokens } from '../../access/workload.ts'
import type { Clock } from '../../base/clock.ts'
import { HOST_CLAIM, readJwt } from '../../base/crypto/jwt.ts'
import { isConsumer, type ProtectedResources } from '../../base/http/origins.ts'
import { Refusal } from '../../base/refusal.ts'
import { askerOf, type Happening } from './audit.ts'
import { TOKEN_EXCHANGE } from './clients.ts'
import { issueToken, newGrant, unlessRefused } from './issue-token.ts'
import { SIGNING_ALG } from './keys.ts'

const PARAMETERS = [
  'subject_token',
  'subject_token_type',
  'requested_token_type',
  'resource',
  'audience',
  'scope',
  'actor_token',
]
const TYPE = 'urn:ietf:params:oauth:token-type:'
/** What workload tokens go by. */
const TAKEN: ReadonlySet<unknown> = new Set([`${TYPE}jwt`, `${TYPE}id_token`])

interface TokenExchangeParts extends ActingParts {
  readonly workloads: WorkloadTokens
}

/**
 * Exchange of the token of a workload, which a trust rule knows, for an access token for one resource (RFC 8693). It ends
 * with the token that was given for it, if that is sooner. Agents exchange tokens of people: see below.
 */
export function registerTokenExchange(provider: Provider, parts: TokenExchangeParts): void {
  provider.registerGrantType(
    TOKEN_EXCHANGE,
    async (context) => {
      const agent = await parts.agents.find(context.oidc.client.clientId)
      return agent === undefined ? exchange(context, parts) : exchangeForPerson(context, agent, parts)
    },
    PARAMETERS,
  )
}

async function exchange(
  context: TokenEndpointGrantContext,
  { workloads, resources, clock, ttl }: TokenExchangeParts,
): Promise<void> {
  const { params, client, provider } = context.oidc
  const { subject_token: subject, subject_token_type: type, requested_token_type: wanted } = params
  if (typeof subject !== 'string' || !TAKEN.has(type))
    throw new errors.InvalidRequest(
      'subject_token must be the token of a workload, of the type jwt or id_token',
    )
  if (wanted !== undefined && wanted !== ACCESS_TOKEN)
    throw new errors.InvalidRequest('only access tokens are issued')
  const resource = resources.find(String(params.resource ?? params['audience'] ?? resources.nameOf('mcp')))
  if (resource === null || isConsumer(resource)) throw new errors.InvalidTarget('there is no such resource')
  const principal = await workloads.verify(subject).catch((error: unknown) => {
    if (!(error instanceof Refusal)) throw error
    throw new errors.InvalidGrant('the subject_token is not valid')
  })
  const audience = resources.nameOf(resource)
  const words = (params.scope ?? DEFAULT_SCOPE).split(' ')
  const scope = SCOPES.filter((known) => words.includes(known)).join(' ')
  const left = Math.floor(((principal.expiresAt ?? 0) - clock.now()) / 1000)
  const token = new provider.ClientCredentials({
    client,
    scope,
    expiresIn: Math.max(1, Math.min(ttl, left)),
    resourceServer: new provider.ResourceServer(audience, {
      scope,
      audience,
      accessTokenFormat: 'jwt',
      jwt: { sign: { alg: SIGNING_ALG } },
    }),
  })
  // Whom the token stands for, and by what rule; its claims are made of it
  const { id, trustRule } = principal
  context.oidc.entity('Account', { accountId: id, claims: () => ({ sub: id }), [TRUST_RULE]: trustRule })
  context.oidc.entity('ClientCredentials', token)
  context.body = {
    access_token: await token.save(),
    issued_token_type: ACCESS_TOKEN,
    token_type: 'Bearer',
    expires_in: token.expiration,
    scope,
  }
}

// Exchanges a person's token for a short-lived one, with which an agent acts for the person at its virtual MCP (RFC 8693).
//
// 1. The agent is the client. It authenticates with the token of its binding. A token for the same resource authenticates the
//    person. Neither is taken from a parameter of the request.
// 2. The binding names the person, and the virtual MCP is shared with the person. Gateway threads check both again with each
//    message.
// 3. The issued token ends with the subject token and its grant, with the token of the binding, and after 15 minutes. It
//    cannot be renewed or exchanged again.

const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
const SUBJECT_TYPES: ReadonlySet<unknown> = new Set([ACCESS_TOKEN, 'urn:ietf:params:oauth:token-type:jwt'])

interface ActingParts {
  readonly agents: Agents
  readonly mcp: Pick<McpAccess, 'offer'>
  readonly tokens: Pick<OAuthTokens, 'claims' | 'signedIn'>
  /** Takes access tokens of identity providers; null where none are taken. */
  readonly direct: DirectTokens | null
  readonly resources: ProtectedResources
  readonly clock: Clock
  readonly audit: (happening: Happening) => Promise<void>
  /** Seconds that a token lives at most. */
  readonly ttl: number
}

/** A person as a subject token proves them. */
interface Subject {
  readonly user: string
  /** Null for a token of the identity provider. */
  readonly grant: string | null
  readonly scopes: readonly string[]
  /** Milliseconds since the epoch. */
  readonly until: number
}

/** Answers the exchange of an agent. */
async function exchangeForPerson(
  context: TokenEndpointGrantContext,
  agent: Agent,
  parts: ActingParts,
): Promise<void> {
  const { params } = context.oidc
  if (!agent.actsForPeople)
    throw new errors.UnauthorizedClient(
      'the binding has no acts_for, so it cannot exchange tokens of people: use grant_type client_credentials, or set acts_for',
    )
  const { subject_token: token, subject_token_type: type, requested_token_type: wanted } = params
  if (typeof token !== 'string' || !SUBJECT_TYPES.has(type))
    throw new errors.InvalidRequest(
      'subject_token must be an access token of the person, of the type access_token or jwt',
    )
  if (wanted !== undefined && wanted !== ACCESS_TOKEN)
    throw new errors.InvalidRequest('only access tokens are issued')
  if (params['actor_token'] !== undefined)
    throw new errors.InvalidRequest('actor_token is not supported: the authenticated client is the actor')
  const named = params.resource ?? params['audience']
  const { resource } = agent
  if (named !== undefined && parts.resources.find(String(named)) !== resource)
    throw new errors.InvalidTarget('the binding of the agent is for another resource')
  const subject = await subjectOf(token, agent, parts)
  await demandPermission(context, agent, subject, parts)
  const scope = scopeOf(subject, params.scope)
  const expiresIn = secondsLeft(subject, agent, parts)
  const audience = parts.resources.nameOf(resource)
  const issued = { accountId: subject.user, scope, expiresIn, audience }
  // What ends the token before its time
  const grantId = subject.grant ?? (await newGrant(context, issued))
  const members = await issueToken(context, { ...issued, grantId, gty: 'token-exchange' })
  context.body = { ...members, issued_token_type: ACCESS_TOKEN }
}

/** The person of a token for the resource of the agent: of our own, or of the identity provider. */
async function subjectOf(token: string, { resource }: Agent, parts: ActingParts): Promise<Subject> {
  const { tokens, direct, agents } = parts
  if (tokens.claims(token)) {
    const { user, grant, scopes, until } = await unlessRefused(
      tokens.signedIn(token, resource),
      'the subject_token',
    )
    const jwt = readJwt(token)
    const claims = typeof jwt === 'string' ? {} : jwt.claims
    if (user === null || grant === null || claims['act'] !== undefined)
      throw new errors.InvalidGrant('the subject_token belongs to an agent')
    if (!(await agents.mayPersonUse(String(claims[HOST_CLAIM]), resource, user)))
      throw new errors.InvalidGrant('the subject_token is not valid')
    return { user, grant, scopes, until }
  }
  if (direct?.claims(token) !== true) throw new errors.InvalidGrant('the subject_token is not valid')
  const { id, expiresAt } = await unlessRefused(direct.verify(token, resource), 'the subject_token')
  return { user: id, grant: null, scopes: MCP_SCOPES, until: expiresAt ?? 0 }
}

/** Refuses and audits where the agent may not act for the person; why exactly is for the trail alone. */
async function demandPermission(
  context: TokenEndpointGrantContext,
  agent: Agent,
  { user }: Subject,
  { agents, mcp, audit }: ActingParts,
): Promise<void> {
  const { id, host, resource } = agent
  const fault = !(await agents.mayActFor(agent, user))
    ? 'the binding does not name the user'
    : (await mcp.offer(user, resource)) === null
      ? 'the virtual MCP is not shared with the user'
      : (await agents.mayPersonUse(host.id, resource, user))
        ? null
        : 'the user is inactive at the host'
  if (fault === null) return
  await audit({
    operation: 'issue_token',
    actor: { id: host.id, type: 'service', name: host.slug },
    client: id,
    asker: askerOf(context),
    facts: { subject: user, resource, fault },
    denied: 'access_denied',
  })
  throw new errors.AccessDenied('the agent may not act for this person at this resource')
}

function scopeOf({ scopes }: Subject, asked: string | undefined): string {
  const words = asked?.split(' ')
  const scope = MCP_SCOPES.filter(
    (one) => scopes.includes(one) && (words === undefined || words.includes(one)),
  ).join(' ')
  if (scope === '')
    throw new errors.InvalidScope('the subject_token contains none of the scopes', asked ?? '')
  return scope
}

function secondsLeft({ until }: Subject, { credential }: Agent, { ttl, clock }: ActingParts): number {
  const end = Math.min(until, credential.expiresAt ?? Number.POSITIVE_INFINITY)
  return Math.max(1, Math.min(ttl, Math.floor((end - clock.now()) / 1000)))
}
