/**
 * Lets the protocol engine find access tokens, which are not stored: a token is found if a protected resource would accept it
 * now (introspection RFC 7662, revocation RFC 7009).
 */
import type { Provider } from 'oidc-provider'
import type { Agents } from '../../access/accounts.ts'
import type { McpAccess } from '../../access/mcp-access.ts'
import type { OAuthTokens } from '../../access/oauth-tokens.ts'
import {
  BINDING_CLAIM,
  CREDENTIAL_CLAIM,
  HOST_CLAIM,
  looksLikeJwt,
  readJwt,
  SUBJECT_HOST_CLAIM,
} from '../../base/crypto/jwt.ts'
import { isConsumer, isVirtualMcp, type ProtectedResources } from '../../base/http/origins.ts'
import type { Plain } from '../../base/json/storable.ts'
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

export interface FoundTokensParts {
  readonly tokens: Pick<OAuthTokens, 'verify' | 'signedIn'>
  readonly resources: ProtectedResources
  readonly agents: Agents
  readonly mcp: Pick<McpAccess, 'offer'>
}

/**
 * Lets the engine find access tokens, which nobody keeps: a token is found where a protected resource would take it now.
 */
export function findAccessTokens(provider: Provider, parts: FoundTokensParts): void {
  const { AccessToken, ClientCredentials } = provider
  for (const Kind of [AccessToken, ClientCredentials]) {
    const find = Kind.find.bind(Kind) as (...given: unknown[]) => Promise<unknown>
    const found = async (value: unknown, ...more: unknown[]): Promise<unknown> => {
      if (typeof value !== 'string' || !value.startsWith(MARK)) return find(value, ...more)
      const claims = await proved(value.slice(MARK.length), parts)
      // Only what hangs on a grant stands for a user
      if (claims === undefined || (claims['grant_id'] === undefined) !== (Kind === ClientCredentials))
        return undefined
      const { sub, client_id: clientId, grant_id: grantId, scope, aud, jti, iat, exp } = claims
      // The grant of a token that an agent got by exchange is that of another client, and is proved already
      const isOwn = claims[BINDING_CLAIM] === undefined
      const whose =
        grantId === undefined ? { extra: { sub } } : { accountId: sub, ...(isOwn ? { grantId } : {}) }
      const Made = Kind as new (properties: object) => unknown
      return new Made({ ...whose, clientId, scope, aud, jti, iat, exp })
    }
    Object.assign(Kind, { find: found })
  }
}

/** What a token says that would be taken where it is for; undefined for another. */
async function proved(token: string, parts: FoundTokensParts): Promise<Plain | undefined> {
  const { tokens, resources } = parts
  const jwt = readJwt(token)
  const resource = typeof jwt === 'string' ? null : resources.find(jwt.audience[0] ?? '')
  if (typeof jwt === 'string' || resource === null) return undefined
  try {
    if (!isConsumer(resource)) await tokens.verify(token, resource)
    else {
      const { user } = await tokens.signedIn(token, resource)
      if (!(await stands(jwt.claims, user, resource, parts))) return undefined
    }
    return jwt.claims
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return undefined
  }
}

/** What gateway threads look up with each message: host, binding, person and sharing. */
async function stands(
  { [HOST_CLAIM]: host, [BINDING_CLAIM]: binding, [CREDENTIAL_CLAIM]: credential, ...claims }: Plain,
  user: string | null,
  resource: `/mcp${string}`,
  { agents, mcp }: FoundTokensParts,
): Promise<boolean> {
  if (user !== null && (await mcp.offer(user, resource)) === null) return false
  if (binding === undefined)
    return user !== null && (await mayPersonUse(agents, String(host), resource, user))
  const agent = await agents.find(String(binding))
  if (agent?.resource !== resource || agent.credential.name !== credential) return false
  if (!agent.actsForPeople) return agent.user === user
  const { [SUBJECT_HOST_CLAIM]: application } = claims
  return (
    user !== null &&
    (await agents.mayActFor(agent, user)) &&
    (application === undefined || (await mayPersonUse(agents, String(application), resource, user)))
  )
}

/** Bindings that switch people off are of virtual MCPs. */
async function mayPersonUse(
  agents: Agents,
  host: string,
  resource: `/mcp${string}`,
  user: string,
): Promise<boolean> {
  return agents.mayPersonUse(host, isVirtualMcp(resource) ? resource : '', user)
}
