/**
 * Exchanges the token of a workload, which a trust rule accepts, for an access token for one resource (RFC 8693). `acting.ts`
 * exchanges tokens of people.
 */
import { errors, type Provider, type TokenEndpointGrantContext } from 'oidc-provider'
import { TRUST_RULE } from '../../access/oauth-tokens.ts'
import { DEFAULT_SCOPE, SCOPES } from '../../access/scopes.ts'
import type { WorkloadTokens } from '../../access/workload.ts'
import { isConsumer } from '../../base/http/origins.ts'
import { Refusal } from '../../base/refusal.ts'
import { ACCESS_TOKEN, type ActingParts, exchangeForPerson } from './acting.ts'
import { TOKEN_EXCHANGE } from './clients.ts'
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
 * with the token that was given for it, if that is sooner. Agents exchange tokens of people: see `acting.ts`.
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
    throw new errors.InvalidRequest('only access tokens are given')
  const resource = resources.find(String(params.resource ?? params['audience'] ?? resources.nameOf('mcp')))
  if (resource === null || isConsumer(resource)) throw new errors.InvalidTarget('there is no such resource')
  const principal = await workloads.verify(subject).catch((error: unknown) => {
    if (!(error instanceof Refusal)) throw error
    throw new errors.InvalidGrant('the subject_token proves nobody')
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
