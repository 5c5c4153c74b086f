/**
 * Redeems an identity assertion of an identity provider for an access token for one resource
 * (draft-ietf-oauth-identity-assertion-authz-grant).
 */
import { errors, type Provider, type TokenEndpointGrantContext } from 'oidc-provider'
import type { Account, Agents, ServiceClients } from '../../access/accounts.ts'
import type { IdentityAssertion, IdentityAssertions } from '../../access/identity-assertions.ts'
import type { McpAccess } from '../../access/mcp-access.ts'
import { broadestOf, DEFAULT_SCOPE, MCP_SCOPES, SCOPES } from '../../access/scopes.ts'
import type { Clock } from '../../base/clock.ts'
import type { Protected } from '../../base/doors.ts'
import { isConsumer, type ProtectedResources } from '../../base/http/origins.ts'
import type { ConfigStore } from '../../store/ports/config.ts'
import type { Sealed } from './adapter.ts'
import { askerOf, type Happening } from './audit.ts'
import { JWT_BEARER } from './clients.ts'
import type { GrantProfiles } from './consents.ts'
import { arriveWith } from './hosts.ts'
import { issueToken, newGrant, unlessRefused } from './issue-token.ts'

/** By which metadata tell that this grant takes identity assertions. */
export const IDENTITY_ASSERTION = 'urn:ietf:params:oauth:grant-profile:id-jag'

/** Assertions that were redeemed, until they would be refused anyway. */
const KIND = 'Assertion'

export interface IdentityAssertionParts {
  readonly store: ConfigStore
  readonly sealed: Sealed
  readonly clock: Clock
  readonly resources: ProtectedResources
  readonly mcp: McpAccess
  readonly agents: Pick<Agents, 'mayPersonUse'>
  readonly services: ServiceClients
  readonly profiles: Pick<GrantProfiles, 'keep'>
  readonly audit: (happening: Happening) => Promise<void>
  /** Null without an identity provider: nothing is redeemed then. */
  readonly assertions: IdentityAssertions | null
}

/**
 * Redemption of what an identity provider asserts of a user to a client, for an access token for one resource
 * (draft-ietf-oauth-identity-assertion-authz-grant). The grant is always known to the engine: clients that registered
 * for it are clients without an issuer too.
 * @param ttl seconds that a token lives
 */
export function registerIdentityAssertion(
  provider: Provider,
  parts: IdentityAssertionParts,
  ttl: number,
): void {
  provider.registerGrantType(JWT_BEARER, (context) => redeem(context, parts, ttl), [
    'assertion',
    'resource',
    'scope',
  ])
}

async function redeem(
  context: TokenEndpointGrantContext,
  parts: IdentityAssertionParts,
  ttl: number,
): Promise<void> {
  const { params, client } = context.oidc
  const { assertions } = parts
  if (assertions === null) throw new errors.UnsupportedGrantType()
  if (client.clientAuthMethod === 'none')
    throw new errors.UnauthorizedClient('the client must authenticate to redeem an assertion')
  const { assertion } = params
  if (typeof assertion !== 'string') throw new errors.InvalidRequest('assertion is missing')
  const proved = await unlessRefused(assertions.prove(assertion), 'the assertion')
  if (proved.clientId !== client.clientId)
    throw new errors.InvalidGrant('the assertion was issued to another client')
  const resource = resourceOf(proved, params.resource, parts.resources)
  const audience = parts.resources.nameOf(resource)
  const scope = isConsumer(resource) ? mcpScopeOf(proved, params.scope) : scopeOf(proved, params.scope)
  await redeemOnce(proved, parts)
  const account = await unlessRefused(assertions.accountOf(proved), 'the assertion')
  const { id: accountId } = account
  const profile = isConsumer(resource) ? await profileAt(resource, account, context, parts) : null

  // What ends the token before its time
  const issued = { accountId, scope, expiresIn: ttl, audience }
  const grantId = await newGrant(context, issued)
  if (profile !== null) await parts.profiles.keep(grantId, accountId, profile)
  context.body = await issueToken(context, { ...issued, grantId, gty: JWT_BEARER })
}

/** The one resource that the assertion is for, which the request may name once more. */
function resourceOf({ claims }: IdentityAssertion, asked: unknown, resources: ProtectedResources): Protected {
  const named = [claims['resource']].flat()
  const found = named.length === 1 && typeof named[0] === 'string' ? resources.find(named[0]) : null
  if (found === null) throw new errors.InvalidTarget(NO_RESOURCE)
  if (asked !== undefined && asked !== resources.nameOf(found))
    throw new errors.InvalidTarget('the assertion is for another resource')
  return found
}

const NO_RESOURCE = 'the assertion is for no resource of this server'

/**
 * The profile that the person uses at an MCP endpoint with the client as host; null at a virtual MCP. Refuses an endpoint that is not
 * shared with the person as one that does not exist.
 */
async function profileAt(
  resource: `/mcp${string}`,
  { id, slug }: Account,
  context: TokenEndpointGrantContext,
  { mcp, agents, services, clock, audit }: IdentityAssertionParts,
): Promise<string | null> {
  const { client } = context.oidc
  const offer = await mcp.offer(id, resource)
  const profiles = offer?.kind === 'profiles' ? offer.profiles : []
  if (offer === null || profiles.length > 1)
    throw new errors.InvalidTarget(
      profiles.length > 1 ? 'several profiles name the user: use /mcp/-/{client}/{profile}' : NO_RESOURCE,
    )
  const host = await arriveWith(client, mcp, await services.find(client.clientId, clock.now()))
  if (host.active && (await agents.mayPersonUse(host.id, resource, id))) return profiles[0]?.id ?? null
  await audit({
    operation: 'issue_token',
    actor: { id, type: 'user', name: slug },
    client: client.clientId,
    asker: askerOf(context),
    facts: { resource, host: host.id },
    denied: 'access_denied',
  })
  throw new errors.AccessDenied(
    host.isHeld
      ? 'this application is new here: an administrator must activate it first'
      : 'this application is inactive: an administrator can activate it',
  )
}

/** What is asked for and lies within the scopes of the assertion, where a broader one holds the narrower. */
function scopeOf({ claims }: IdentityAssertion, asked: string | undefined): string {
  const given = claims['scope'] ?? DEFAULT_SCOPE
  const broadest = typeof given === 'string' ? broadestOf(given) : null
  const permitted = broadest === null ? [] : SCOPES.slice(0, SCOPES.indexOf(broadest) + 1)
  const words = (asked ?? String(given)).split(' ')
  const scope = permitted.filter((one) => words.includes(one)).join(' ')
  if (scope === '') throw new errors.InvalidScope('the assertion contains none of the scopes', asked ?? '')
  return scope
}

/** The same for an MCP endpoint, whose scopes stand beside each other. */
function mcpScopeOf({ claims }: IdentityAssertion, asked: string | undefined): string {
  const given = claims['scope'] ?? MCP_SCOPES.join(' ')
  const permitted = typeof given === 'string' ? given.split(' ') : []
  const words = asked?.split(' ') ?? permitted
  const scope = MCP_SCOPES.filter((one) => permitted.includes(one) && words.includes(one)).join(' ')
  if (scope === '') throw new errors.InvalidScope('the assertion contains none of the scopes', asked ?? '')
  return scope
}

/** Writes are one after the other: of two requests with one assertion the second finds it. */
async function redeemOnce(
  { issuer, jti, endsAt }: IdentityAssertion,
  { store, sealed, clock }: IdentityAssertionParts,
): Promise<void> {
  const id = sealed.hash(`${issuer}\n${jti}`)
  const isFirst = await store.writeOAuth(async (oauth) => {
    if ((await oauth.artifact(KIND, id)) !== undefined) return false
    await oauth.put({
      kind: KIND,
      id,
      sealed: '',
      grant_id: null,
      other_id: null,
      account_id: null,
      created_at: clock.now(),
      expires_at: endsAt,
      used_at: null,
    })
    return true
  })
  if (!isFirst) throw new errors.InvalidGrant('the assertion was used')
}
