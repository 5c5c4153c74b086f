import { errors, type Provider, type TokenEndpointGrantContext } from 'oidc-provider'
import type { IdentityAssertion, IdentityAssertions } from '../../access/identity-assertions.ts'
import { broadestOf, DEFAULT_SCOPE, SCOPES } from '../../access/scopes.ts'
import type { Clock } from '../../base/clock.ts'
import { isConsumer, type ProtectedResources } from '../../base/protected-resources.ts'
import { Refusal } from '../../base/refusal.ts'
import type { ConfigStore } from '../../store/ports/config.ts'
import { JWT_BEARER } from './clients.ts'
import { SIGNING_ALG } from './keys.ts'
import type { Sealed } from './sealed.ts'

/** By which metadata tell that this grant takes identity assertions. */
export const IDENTITY_ASSERTION = 'urn:ietf:params:oauth:grant-profile:id-jag'

/** Assertions that were redeemed, until they would be refused anyway. */
const KIND = 'Assertion'

export interface IdentityAssertionParts {
  readonly store: ConfigStore
  readonly sealed: Sealed
  readonly clock: Clock
  readonly resources: ProtectedResources
  /** Null without a corporate issuer: nothing is redeemed then. */
  readonly assertions: IdentityAssertions | null
}

/**
 * Redemption of what the corporate issuer asserts of a user to a client, for an access token for one resource
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
  const { params, client, provider } = context.oidc
  const { assertions } = parts
  if (assertions === null) throw new errors.UnsupportedGrantType()
  if (client.clientAuthMethod === 'none')
    throw new errors.UnauthorizedClient('only a client that proves itself redeems assertions')
  const { assertion } = params
  if (typeof assertion !== 'string') throw new errors.InvalidRequest('assertion is missing')
  const proved = await unlessRefused(assertions.prove(assertion))
  if (proved.clientId !== client.clientId)
    throw new errors.InvalidGrant('the assertion was issued to another client')
  const audience = resourceOf(proved, params.resource, parts.resources)
  const scope = scopeOf(proved, params.scope)
  await redeemOnce(proved, assertions.issuer, parts)
  const { id: accountId } = await unlessRefused(assertions.accountOf(proved))

  // What ends the token before its time
  const grant = new provider.Grant({ accountId, clientId: client.clientId })
  Object.assign(grant, { expiresIn: ttl })
  grant.addResourceScope(audience, scope)
  const token = new provider.AccessToken({
    accountId,
    client,
    grantId: await grant.save(),
    gty: JWT_BEARER,
    scope,
    expiresIn: ttl,
    resourceServer: new provider.ResourceServer(audience, {
      scope,
      audience,
      accessTokenFormat: 'jwt',
      jwt: { sign: { alg: SIGNING_ALG } },
    }),
  })
  context.oidc.entity('AccessToken', token)
  context.body = {
    access_token: await token.save(),
    token_type: 'Bearer',
    expires_in: token.expiration,
    scope,
  }
}

/** The one resource that the assertion is for, which the request may name once more. */
function resourceOf({ claims }: IdentityAssertion, asked: unknown, resources: ProtectedResources): string {
  const named = [claims['resource']].flat()
  const found = named.length === 1 && typeof named[0] === 'string' ? resources.find(named[0]) : null
  if (found === null || isConsumer(found))
    throw new errors.InvalidTarget('the assertion is for none of the resources here')
  const name = resources.nameOf(found)
  if (asked !== undefined && asked !== name)
    throw new errors.InvalidTarget('the assertion is for another resource')
  return name
}

/** What is asked for and lies within the scopes of the assertion, where a broader one holds the narrower. */
function scopeOf({ claims }: IdentityAssertion, asked: string | undefined): string {
  const given = claims['scope'] ?? DEFAULT_SCOPE
  const broadest = typeof given === 'string' ? broadestOf(given) : null
  const permitted = broadest === null ? [] : SCOPES.slice(0, SCOPES.indexOf(broadest) + 1)
  const words = (asked ?? String(given)).split(' ')
  const scope = permitted.filter((one) => words.includes(one)).join(' ')
  if (scope === '') throw new errors.InvalidScope('the assertion holds none of the scopes', asked ?? '')
  return scope
}

/** Writes are one after the other: of two requests with one assertion the second finds it. */
async function redeemOnce(
  { jti, endsAt }: IdentityAssertion,
  issuer: string,
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

async function unlessRefused<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    if (error.code === 'identity_unavailable')
      throw Object.assign(
        new errors.TemporarilyUnavailable('the corporate issuer cannot be asked for its keys'),
        {
          status: 503,
          statusCode: 503,
        },
      )
    throw new errors.InvalidGrant('the assertion proves nobody')
  }
}
