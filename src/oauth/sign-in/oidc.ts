/** Sign-in at an identity provider (OpenID Connect Core 1.0). The state of a sign-in is valid for ten minutes and one use. */
import type { Configuration, CustomFetch, IDToken, TokenEndpointResponse } from 'openid-client'
import type { Account, Accounts, Arrival } from '../../access/accounts.ts'
import { parseGrant } from '../../access/grant-text.ts'
import type { Clock } from '../../base/clock.ts'
import { claimOf } from '../../base/crypto/jwt.ts'
import { hashToken } from '../../base/crypto/token.ts'
import { isStorable, listedTexts, type Plain, plainIn, UNSTORABLE } from '../../base/json/storable.ts'
import { isSecureUrl } from '../../base/net/address.ts'
import { discoveredFrom } from '../../base/net/egress.ts'
import { FetchFailure, type GuardedFetch } from '../../base/net/guarded-fetch.ts'
import { Refusal, refuse } from '../../base/refusal.ts'
import type { Links } from '../../shared-state/ports/memory.ts'
import { tellFew } from '../bounded-log.ts'
import { type ClientAuthMethod, type ClientProof, methodFor, toClientAuth } from './client-auth.ts'
import { callbackPathOf } from './port.ts'

/** How long someone may take to sign in there, milliseconds. */
const FLOW_MS = 10 * 60_000
/** What the provider says of itself, and our secret, are read anew after so long; milliseconds. */
const CONFIGURATION_MS = 10 * 60_000

export interface OidcProvider extends ClaimReading {
  readonly clientId: string
  /** How it is shown that we are the client; null leaves it to the proof and the provider. */
  readonly clientAuth: ClientAuthMethod | null
  /** The secret or key as it is now. Rejects when its file cannot be read. */
  readonly proof: () => Promise<ClientProof>
  readonly scopes: string
}

export interface OidcParts {
  readonly provider: OidcProvider
  readonly origin: string
  readonly clock: Clock
  readonly fetch: GuardedFetch
  readonly accounts: Pick<Accounts, 'arrive'>
  /** Sign-ins that are under way. */
  readonly signIns: Links<SignInState>
  /** Told in a sentence, without secrets, why a sign-in has failed; few times a minute. */
  readonly warn: (sentence: string) => void
  /** Keeps the tokens of a person for origins that want them; absent where none are kept. */
  readonly keepTokens?: ((account: string, tokens: TokenEndpointResponse) => Promise<void>) | undefined
}

/** A sign-in that is under way, found by the hash of its `state`. */
export interface SignInState {
  /** Of the provider at which it began: at the callback of another one it is refused. */
  readonly issuer: string
  readonly interaction: string
  readonly verifier: string
  readonly nonce: string
}

export interface OidcSignIn {
  /** Refuses with identity_unavailable. @param requestId by which the log names a failure */
  begin(interaction: string, requestId: string | null): Promise<URL>
  /** Refuses with credential_invalid or identity_unavailable. */
  finish(
    callback: URL,
    requestId: string | null,
  ): Promise<{ readonly interaction: string; readonly account: Account }>
}

/**
 * Sign-in at an identity provider: OpenID Connect Core 1.0 section 3.1 with PKCE (RFC 7636), state, nonce and the check
 * of `iss` (RFC 9207). The state is kept by its hash, for this provider, and taken once; that it comes back to the browser that began is
 * the business of whoever holds the interaction.
 */
export function createOidcSignIn(parts: OidcParts): OidcSignIn {
  const { provider, clock, accounts, signIns } = parts
  const redirectUri = parts.origin + callbackPathOf(provider.slug)
  const configured = createConfigured(parts)
  const tell = tellFew(clock, parts.warn)

  /** What goes wrong on the way is told apart: the provider cannot be used, or it did not let someone in. */
  async function guarded<T>(requestId: string | null, work: () => Promise<T>): Promise<T> {
    const at = requestId === null ? '' : ` (request ${requestId})`
    try {
      return await work()
    } catch (error) {
      if (error instanceof Refusal) {
        tell(`A sign-in at ${provider.issuer} failed: ${error.facts.inner ?? error.message}${at}.`)
        throw error
      }
      const judged = judge(error)
      if (judged === null) throw error
      const { isOurs, isSetup, reason } = judged
      if (!isOurs) {
        tell(`A sign-in at ${provider.issuer} failed: ${reason}${at}.`)
        throw refuse('credential_invalid', { inner: reason })
      }
      // It may have changed, or be back
      configured.forget()
      tell(
        `Sign-in at the identity provider ${provider.issuer} fails for every user: ${reason}${at}. Run postern doctor --network to find the cause.`,
      )
      throw refuse('identity_unavailable', {
        ...(isSetup
          ? {
              detail:
                'Sign-in through the identity provider is configured incorrectly. Trying again does not help: ask an administrator of Postern and give them the request id.',
            }
          : {
              detail: 'The identity provider is unavailable. Try again in a few minutes.',
              members: { retry_after_ms: 10_000 },
            }),
        inner: reason,
      })
    }
  }

  async function begin(interaction: string): Promise<URL> {
    const oidc = await import('openid-client')
    const configuration = await configured.get()
    const [verifier, nonce, state] = [oidc.randomPKCECodeVerifier(), oidc.randomNonce(), oidc.randomState()]
    const url = oidc.buildAuthorizationUrl(configuration, {
      redirect_uri: redirectUri,
      scope: provider.scopes,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      nonce,
      state,
    })
    if (!isSecureUrl(url)) throw new FetchFailure('its authorization endpoint is not https')
    await signIns.put(
      hashToken(state),
      { issuer: provider.issuer, interaction, verifier, nonce },
      FLOW_MS,
      null,
    )
    return url
  }

  async function finish(callback: URL): Promise<{ interaction: string; account: Account }> {
    const state = callback.searchParams.get('state') ?? ''
    const flow = await signIns.take(hashToken(state))
    if (flow === null) throw refuse('credential_invalid', { inner: 'an unknown, used or late state' })
    if (flow.issuer !== provider.issuer)
      throw refuse('credential_invalid', { inner: `a state of another provider, ${flow.issuer}` })
    const oidc = await import('openid-client')
    const configuration = await configured.get()
    const current = new URL(redirectUri)
    current.search = callback.search
    const tokens = await oidc.authorizationCodeGrant(configuration, current, {
      pkceCodeVerifier: flow.verifier,
      expectedNonce: flow.nonce,
      expectedState: state,
      idTokenExpected: true,
    })
    const idToken = tokens.claims()!
    const claims = lacksClaims(idToken)
      ? { ...(await userInfo(configuration, tokens.access_token, idToken.sub)), ...idToken }
      : idToken
    const account = await accounts.arrive(toArrival(claims, idToken.sub, provider, null))
    // A sign-in is good without them
    await parts
      .keepTokens?.(account.id, tokens)
      .catch(() => tell(`The tokens of a sign-in at ${provider.issuer} cannot be kept.`))
    return { interaction: flow.interaction, account }
  }

  /** Some leave out of the ID token what they tell at the endpoint for it. */
  function lacksClaims(claims: IDToken): boolean {
    return claims['email'] === undefined || claimOf(claims, provider.groupsClaim) === undefined
  }

  async function userInfo(configuration: Configuration, token: string, subject: string): Promise<Plain> {
    if (configuration.serverMetadata().userinfo_endpoint === undefined) return {}
    const { fetchUserInfo } = await import('openid-client')
    return { ...(await fetchUserInfo(configuration, token, subject)) }
  }

  return {
    begin: (interaction, requestId) => guarded(requestId, () => begin(interaction)),
    finish: (callback, requestId) => guarded(requestId, () => finish(callback)),
  }
}

/** Kept for {@link CONFIGURATION_MS} unless reading it fails. */
interface Configured {
  /** Rejects with a {@link FetchFailure} that says why the provider cannot be used. */
  get(): Promise<Configuration>
  /** Reads it anew next time. */
  forget(): void
}

/** What {@link discover} reads of a provider, for what asks it again and again. */
export function createConfigured(parts: Pick<OidcParts, 'provider' | 'fetch' | 'clock'>): Configured {
  let known: { readonly configuration: Promise<Configuration>; readonly until: number } | undefined
  return {
    get() {
      const now = parts.clock.monotonic()
      if (known === undefined || now >= known.until) {
        const found = { configuration: discover(parts).catch(unusable), until: now + CONFIGURATION_MS }
        known = found
        found.configuration.catch(() => {
          if (known === found) known = undefined
        })
      }
      return known.configuration
    },
    forget: () => {
      known = undefined
    },
  }
}

/** Reads what the provider says of itself, and how we prove ourselves there. Rejects with what {@link reasonOf} reads. */
export async function discover({
  provider,
  fetch,
  clock,
}: Pick<OidcParts, 'provider' | 'fetch' | 'clock'>): Promise<Configuration> {
  // Loaded by the first sign-in: few starts need it
  const oidc = await import('openid-client')
  const { issuer, clientId } = provider
  const send = toCustomFetch(fetch, issuer)
  const execute = [oidc.enableNonRepudiationChecks]
  if (issuer.startsWith('http:')) execute.push(oidc.allowInsecureRequests)
  const options = { [oidc.customFetch]: send, execute }
  const proof = await provider.proof()
  const found = await oidc.discovery(new URL(issuer), clientId, undefined, oidc.None(), options)
  const metadata = found.serverMetadata()
  const methods: unknown = metadata.token_endpoint_auth_methods_supported
  const method = methodFor(
    provider.clientAuth,
    proof,
    Array.isArray(methods) ? listedTexts(methods) : undefined,
  )
  const authentication = toClientAuth(method, proof, () => clock.now())
  const configuration = new oidc.Configuration(metadata, clientId, proof.secret ?? undefined, authentication)
  configuration[oidc.customFetch] = send
  for (const apply of execute) apply(configuration)
  return configuration
}

/** Nobody has come yet: whatever is wrong is wrong with the provider. */
function unusable(error: unknown): never {
  const judged = judge(error)
  throw judged === null ? error : new FetchFailure(judged.reason)
}

/** What cannot answer is told apart from what answers no. */
function toCustomFetch(send: GuardedFetch, issuer: string): CustomFetch {
  return async (url, { method, headers, body }) => {
    // All that is ever sent is a form
    const bytes = body == null ? null : Buffer.from(String(body))
    const answer = await send({ url, from: discoveredFrom(issuer, url), method, headers, body: bytes })
    // 205 has no body (RFC 9110 section 15.3.6), and statuses that no response can have are no answer either
    if (answer.status < 200 || answer.status === 205 || answer.status === 429 || answer.status >= 500)
      throw new FetchFailure(`it answered ${answer.status}`, answer.status)
    // Token endpoints alone are asked by POST
    const told = method === 'POST' && answer.status === 200 ? plainIn(answer.body) : null
    const bodyBytes = told === null ? answer.body : Buffer.from(JSON.stringify(withoutEmptyMembers(told)))
    // A status without a body allows none
    const content = bodyBytes.length === 0 ? null : new Uint8Array(bodyBytes)
    // Beside a challenge the body would not be read, and it names the error (RFC 6749 section 5.2)
    const { 'www-authenticate': _, ...rest } = answer.headers
    return new Response(content, { status: answer.status, headers: rest })
  }
}

/** Errors of RFC 6749 sections 4.1.2.1 and 5.2 that a wrong registration or a wrong setting causes. */
const SETUP_ERRORS: ReadonlySet<unknown> = new Set([
  'invalid_client',
  'unauthorized_client',
  'unsupported_grant_type',
  'unsupported_response_type',
  'invalid_scope',
])

/** Errors of the same sections that a fault of the provider causes. */
const PROVIDER_ERRORS: ReadonlySet<unknown> = new Set(['server_error', 'temporarily_unavailable'])

/** Codes of the library for a provider that answers something else than its metadata promises, or promises what cannot be. */
const PROVIDER_CODES: ReadonlySet<unknown> = new Set([
  'OAUTH_RESPONSE_IS_NOT_CONFORM',
  'OAUTH_INVALID_SERVER_METADATA',
  'OAUTH_MISSING_SERVER_METADATA',
])

interface Judgement {
  /** It was the provider, or how it is set up, and not the person. */
  readonly isOurs: boolean
  /** An administrator must change a setting or the registration; trying again does not help. */
  readonly isSetup: boolean
  readonly reason: string
}

/** Why a sign-in failed; null for a fault of the program. */
function judge(error: unknown): Judgement | null {
  for (let one: unknown = error; one instanceof Error; one = one.cause) {
    if (one instanceof FetchFailure) return { isOurs: true, isSetup: false, reason: one.message }
    if ('error' in one && typeof one.error === 'string')
      return {
        isOurs: SETUP_ERRORS.has(one.error) || PROVIDER_ERRORS.has(one.error),
        isSetup: SETUP_ERRORS.has(one.error),
        reason: `it answered ${shownError(one as never)}`,
      }
    if (!('code' in one)) continue
    if (PROVIDER_CODES.has(one.code)) return { isOurs: true, isSetup: false, reason: one.message }
    if (one.code === 'ENOENT' || one.code === 'EACCES')
      return { isOurs: true, isSetup: true, reason: 'the file with the secret or key cannot be read' }
    if (typeof one.code === 'string' && one.code.startsWith('OAUTH_'))
      return { isOurs: false, isSetup: false, reason: innermostMessage(one) }
  }
  return null
}

/** The library wraps the sentence that names the wrong parameter or claim of an answer. */
function innermostMessage(error: Error): string {
  return error.cause instanceof Error ? innermostMessage(error.cause) : error.message
}

/** Why asking the provider failed; null for a fault of the program. */
export function reasonOf(error: unknown): string | null {
  return judge(error)?.reason ?? null
}

const SHOWN_MAX = 200

/** An error of the provider and what it says about it, as one line of bounded length for administrators. */
export function shownError({ error, error_description: text }: Readonly<Record<string, unknown>>): string {
  const said = typeof text === 'string' && text !== '' ? `${String(error)}: ${text}` : String(error)
  return said.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, ' ').slice(0, SHOWN_MAX)
}

/** Optional members of an answer of a token endpoint that are texts (RFC 6749 section 5.1, RFC 8693 section 2.2.1). */
const TEXTS = ['refresh_token', 'scope', 'id_token', 'issued_token_type'] as const

/**
 * An answer of a token endpoint without optional members that say nothing, such as a `refresh_token` that is null. Libraries refuse the
 * whole answer for one of them, and with it a refresh token that has replaced the one before. A list of scopes becomes a text.
 */
export function withoutEmptyMembers(answer: Plain): Plain {
  const { scope, expires_in: lifetime } = answer
  const kept: Plain = { ...answer }
  if (Array.isArray(scope)) kept['scope'] = listedTexts(scope).join(' ')
  for (const name of TEXTS)
    if (typeof kept[name] !== 'string' || (kept[name] === '' && name !== 'scope')) delete kept[name]
  const seconds = typeof lifetime === 'string' ? Number.parseFloat(lifetime) : lifetime
  // Some write -1 for a token that does not end
  if (typeof seconds === 'number' && Number.isFinite(seconds) && seconds >= 0) kept['expires_in'] = seconds
  else delete kept['expires_in']
  return kept
}

// Reads the claims of an identity provider: which person they describe, and which grants they map to.

/** What people with a claim may do. */
export interface RoleRule {
  /** `*` is everybody, `group` the claim that holds the groups, any other the name of a claim. */
  readonly claim: string
  readonly value: string | null
  /** A grant in its compact form. */
  readonly grant: string
}

/** How the claims of an identity provider are read. */
export interface ClaimReading {
  readonly issuer: string
  /** Stands before the groups of a further provider, as `slug/group`; null for the first provider, whose groups stay as they are. */
  readonly slug: string | null
  /** Slugs of all further providers: a group of the first provider that looks like one of theirs is left out. */
  readonly furtherSlugs: readonly string[]
  readonly groupsClaim: string
  readonly roleMap: readonly RoleRule[]
}

/** Why a rule grants nothing, as a sentence; null when all of them are grants. */
export function faultOfRoleMap(rules: readonly RoleRule[]): string | null {
  for (const { grant } of rules) {
    const parsed = parseGrant(grant)
    if (typeof parsed === 'string') return `"${grant}" is not a valid grant: ${parsed}`
  }
  return null
}

/**
 * Who the claims of an issuer speak of, and what they may do by them. Rules about `email` need `email_verified`: true. An email that the
 * issuer says is not verified is none, and text that no store keeps is none. Refuses with credential_invalid a subject that no store keeps.
 * @param absent value of an email or a name that the claims do not contain: null for none, undefined to keep the known one
 */
export function toArrival(
  claims: Plain,
  subject: string,
  reading: ClaimReading,
  absent: null | undefined,
): Arrival {
  const { issuer, groupsClaim, roleMap } = reading
  if (!isStorable(subject)) throw refuse('credential_invalid', { inner: `the claim sub ${UNSTORABLE}` })
  const { email, email_verified, name, iat } = claims
  const isVerified = email_verified !== false && email_verified !== 'false'
  // What people say of themselves gives them nothing. Without `email_verified` some issuers pass on any address that a person entered
  const isProved = email_verified === true || email_verified === 'true'
  const trusted: Plain = isProved ? claims : { ...claims, email: undefined }
  const holds = ({ claim, value }: RoleRule): boolean =>
    value === null || textsOf(claimOf(trusted, claim === 'group' ? groupsClaim : claim)).includes(value)
  return {
    issuer,
    subject,
    email: isText(email) ? (isVerified ? email : null) : absent,
    name: isText(name) ? name : absent,
    groups: groupsOf(textsOf(claimOf(trusted, groupsClaim)).filter(isStorable), reading),
    grants: [...new Set(roleMap.filter(holds).map(({ grant }) => grant))],
    claimsIssuedAt: typeof iat === 'number' ? iat : undefined,
  }
}

/** Groups by names that no other provider can give to anybody. */
function groupsOf(
  groups: readonly string[],
  { slug, furtherSlugs }: Pick<ClaimReading, 'slug' | 'furtherSlugs'>,
): readonly string[] {
  if (slug !== null) return groups.map((group) => `${slug}/${group}`)
  return groups.filter((group) => !furtherSlugs.some((further) => group.startsWith(`${further}/`)))
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && isStorable(value)
}

function textsOf(value: unknown): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  return list.flatMap((one) =>
    typeof one === 'string'
      ? [one]
      : typeof one === 'boolean' || typeof one === 'number'
        ? [String(one)]
        : [],
  )
}
