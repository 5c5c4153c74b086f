import type { Provider } from 'oidc-provider'
import { MCP_SCOPES, SCOPES } from '../../access/scopes.ts'

/**
 * The form of a refresh without scopes that its client has asked for in vain. Clients repeat the scopes of their first request:
 * `offline_access`, scopes that are not known here, scopes of management at an MCP endpoint, and scopes that the person has not
 * ticked. These are ignored (RFC 6749 section 3.3) and the answer names what the token has. At an MCP endpoint, a request that is left
 * with none of its scopes keeps all that were granted: another token would open nothing. A scope that the client had never asked for
 * stays, and is refused with `invalid_scope` (section 6).
 */
export async function withinRefreshScope(
  provider: Provider,
  form: URLSearchParams,
): Promise<URLSearchParams> {
  const token = form.get('refresh_token')
  const scopes = form.getAll('scope')
  if (form.get('grant_type') !== 'refresh_token' || token === null || scopes.length !== 1) return form
  const kept = await provider.RefreshToken.find(token, { ignoreExpiration: true })
  const grant = kept?.grantId === undefined ? undefined : await provider.Grant.find(kept.grantId)
  const granted = new Set((kept?.scope ?? '').split(' '))
  const declined = new Set(
    [kept?.resource ?? []].flat().flatMap((name) => grant?.getRejectedResourceScope(name).split(' ') ?? []),
  )
  const isForEndpoint = MCP_SCOPES.some((scope) => granted.has(scope))
  const known: readonly string[] = isForEndpoint ? MCP_SCOPES : [...SCOPES, ...MCP_SCOPES]
  const asked = scopes[0]!
    .split(' ')
    .filter((scope) => granted.has(scope) || (known.includes(scope) && !declined.has(scope)))
  form.delete('scope')
  const opensSomething = !isForEndpoint || MCP_SCOPES.some((scope) => asked.includes(scope))
  if (asked.length > 0 && opensSomething) form.set('scope', asked.join(' '))
  return form
}
