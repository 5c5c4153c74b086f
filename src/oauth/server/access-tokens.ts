import type { Provider } from 'oidc-provider'
import type { OAuthTokens } from '../../access/oauth-tokens.ts'
import { looksLikeJwt, readJwt } from '../../base/jwt.ts'
import type { ProtectedResources } from '../../base/protected-resources.ts'
import { Refusal } from '../../base/refusal.ts'

/** Stands before an access token where the engine is asked about one: what looks like a JWT it refuses unread. */
const MARK = 'jwt:'

/** The form of a question about a token (RFC 7662, RFC 7009), as the engine takes it. */
export function withMarkedToken(text: string): string {
  const form = new URLSearchParams(text)
  const token = form.get('token')
  if (token !== null && form.getAll('token').length === 1 && looksLikeJwt(token))
    form.set('token', MARK + token)
  return form.toString()
}

/**
 * Lets the engine find access tokens, which nobody keeps: a token is found where a protected resource would take it now.
 */
export function findAccessTokens(
  provider: Provider,
  tokens: Pick<OAuthTokens, 'verify'>,
  resources: ProtectedResources,
): void {
  const { AccessToken, ClientCredentials } = provider
  for (const Kind of [AccessToken, ClientCredentials]) {
    const find = Kind.find.bind(Kind) as (...given: unknown[]) => Promise<unknown>
    const found = async (value: unknown, ...more: unknown[]): Promise<unknown> => {
      if (typeof value !== 'string' || !value.startsWith(MARK)) return find(value, ...more)
      const claims = await proved(value.slice(MARK.length), tokens, resources)
      // Only what hangs on a grant stands for a user
      if (claims === undefined || (claims['grant_id'] === undefined) !== (Kind === ClientCredentials))
        return undefined
      const { sub, client_id: clientId, grant_id: grantId, scope, aud, jti, iat, exp } = claims
      const whose = grantId === undefined ? { extra: { sub } } : { accountId: sub, grantId }
      const Made = Kind as new (properties: object) => unknown
      return new Made({ ...whose, clientId, scope, aud, jti, iat, exp })
    }
    Object.assign(Kind, { find: found })
  }
}

/** What a token says that would be taken where it is for; undefined for another. */
async function proved(token: string, tokens: Pick<OAuthTokens, 'verify'>, resources: ProtectedResources) {
  const jwt = readJwt(token)
  const resource = typeof jwt === 'string' ? null : resources.find(jwt.audience[0] ?? '')
  if (typeof jwt === 'string' || resource === null) return undefined
  try {
    await tokens.verify(token, resource)
    return jwt.claims
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return undefined
  }
}
