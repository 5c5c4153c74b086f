/** Issues access tokens outside of the flows of the protocol engine. */
import { errors, type TokenEndpointGrantContext } from 'oidc-provider'
import { Refusal } from '../../base/refusal.ts'
import { SIGNING_ALG } from './keys.ts'

export interface IssuedToken {
  readonly accountId: string
  readonly grantId: string
  /** Grant type by which records and introspection know the token. */
  readonly gty: string
  readonly scope: string
  /** Seconds. */
  readonly expiresIn: number
  /** The one resource that takes the token. */
  readonly audience: string
}

/**
 * Issues an access token in the form of a JWT (RFC 9068) to the client of a token request.
 * @returns members of the response (RFC 6749, section 5.1)
 */
export async function issueToken(
  { oidc }: TokenEndpointGrantContext,
  { audience, scope, ...token }: IssuedToken,
): Promise<Record<string, unknown>> {
  const { client, provider } = oidc
  const made = new provider.AccessToken({
    ...token,
    client,
    scope,
    resourceServer: new provider.ResourceServer(audience, {
      scope,
      audience,
      accessTokenFormat: 'jwt',
      jwt: { sign: { alg: SIGNING_ALG } },
    }),
  })
  oidc.entity('AccessToken', made)
  return { access_token: await made.save(), token_type: 'Bearer', expires_in: made.expiration, scope }
}

/** Stores a grant of its own for a token, which ends with it. @param expiresIn seconds @returns id of the grant */
export async function newGrant(
  { oidc: { client, provider } }: TokenEndpointGrantContext,
  {
    accountId,
    audience,
    scope,
    expiresIn,
  }: Pick<IssuedToken, 'accountId' | 'audience' | 'scope' | 'expiresIn'>,
): Promise<string> {
  const grant = new provider.Grant({ accountId, clientId: client.clientId })
  Object.assign(grant, { expiresIn })
  grant.addResourceScope(audience, scope)
  return grant.save()
}

/**
 * Awaits a check of a token that came with a request, and turns its refusal into an error of RFC 6749.
 * @param token the name of the token in the error, such as `the assertion`
 */
export async function unlessRefused<T>(asked: Promise<T>, token: string): Promise<T> {
  try {
    return await asked
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    if (error.code === 'identity_unavailable')
      throw Object.assign(
        new errors.TemporarilyUnavailable('the keys of the corporate issuer cannot be fetched'),
        { status: 503, statusCode: 503 },
      )
    throw new errors.InvalidGrant(`${token} identifies no person`)
  }
}
