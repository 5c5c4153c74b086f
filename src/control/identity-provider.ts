/** Identity providers as the control plane knows them. */
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { Accounts } from '../access/accounts.ts'
import { isBuiltIn, parseGrant } from '../access/grant-text.ts'
import { roleOf } from '../access/identities.ts'
import { createIdentityAssertions, type IdentityAssertions } from '../access/identity-assertions.ts'
import { createDirectTokens, type DirectIssuer, type DirectTokens } from '../access/oauth-tokens.ts'
import { DEFAULT_SCOPE } from '../access/scopes.ts'
import type { KeysOf } from '../access/workload.ts'
import type { Clock } from '../base/clock.ts'
import type { ProtectedResources } from '../base/http/origins.ts'
import type { Plain } from '../base/json/storable.ts'
import { CannotStart } from '../base/refusal.ts'
import { readClientKey } from '../oauth/sign-in/client-auth.ts'
import type { OidcProvider } from '../oauth/sign-in/oidc.ts'
import { faultOfRoleMap, toArrival } from '../oauth/sign-in/oidc.ts'
import { memberName, type OidcSettings, type ProviderPlace } from '../settings/oidc.ts'
import type { ConfigReader } from '../store/ports/config.ts'

/** An identity provider as the control plane knows it. */
export interface IdentityProvider extends OidcProvider {
  /** Label of its button on the sign-in page. */
  readonly name: string
  /** Whether management takes its access tokens; `only` names it alone as the one that issues tokens. */
  readonly direct: OidcSettings['direct']
  /** What must be in `aud` of these; null for the URL of the resource. */
  readonly audience: string | null
}

/** The identity providers of the settings. Throws CannotStart for a rule that grants nothing, and for a key that signs nothing. */
export function toIdentityProviders(all: readonly OidcSettings[]): readonly IdentityProvider[] {
  const furtherSlugs = all.flatMap(({ slug }) => (slug === null ? [] : [slug]))
  return all.map((settings) => toIdentityProvider(settings, furtherSlugs))
}

function toIdentityProvider(settings: OidcSettings, furtherSlugs: readonly string[]): IdentityProvider {
  const fault = faultOfRoleMap(settings.roleMap)
  if (fault !== null) throw new CannotStart(`${memberName(settings, 'ROLE_MAP')}: ${fault}.`)
  const { clientSecret, clientSecretFile, clientKeyFile } = settings
  if (clientKeyFile !== null) demandKey(clientKeyFile, settings)
  return {
    ...settings,
    furtherSlugs,
    proof: async () => ({
      secret:
        clientSecretFile === null
          ? (clientSecret?.reveal() ?? null)
          : (await readFile(clientSecretFile, 'utf8')).trim(),
      key: clientKeyFile === null ? null : readClientKey(await readFile(clientKeyFile, 'utf8')),
    }),
  }
}

function demandKey(file: string, place: ProviderPlace): void {
  try {
    readClientKey(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new CannotStart(
      `${memberName(place, 'CLIENT_KEY_FILE')}: ${file} cannot be used: ${(error as Error).message}.`,
    )
  }
}

/** The first role that claims are mapped to and that does not exist, as a sentence; null when all exist. */
export async function faultOfRoles(
  providers: readonly (Pick<OidcSettings, 'roleMap'> & ProviderPlace)[],
  reader: ConfigReader,
): Promise<string | null> {
  const rules = providers.flatMap((place) => place.roleMap.map(({ grant }) => ({ grant, place })))
  for (const { grant, place } of rules) {
    const parsed = parseGrant(grant)
    if (typeof parsed === 'string' || isBuiltIn(parsed.role)) continue
    if ((await roleOf(parsed.role, reader)) === undefined)
      return `${memberName(place, 'ROLE_MAP')}: there is no role "${parsed.role}", which "${grant}" names. Correct the rule. To create the role first, start Postern without the rule, create the role, and start again with the rule.`
  }
  return null
}

/** Throws CannotStart where claims are mapped to a role that does not exist. */
export async function demandRoles(providers: readonly OidcSettings[], reader: ConfigReader): Promise<void> {
  const fault = await faultOfRoles(providers, reader)
  if (fault !== null) throw new CannotStart(fault)
}

/** The access tokens of providers, where management takes them; null where it takes none. */
export function openDirect(
  providers: readonly IdentityProvider[],
  { namesOf }: ProtectedResources,
  clock: Clock,
  keysOf: KeysOf,
  accounts: Accounts,
): DirectTokens | null {
  const issuers = providers
    .filter(({ direct }) => direct !== null)
    .map(
      (provider): DirectIssuer => ({
        issuer: provider.issuer,
        clientId: provider.clientId,
        audiencesOf: (resource) => (provider.audience === null ? namesOf(resource) : [provider.audience]),
        arrivalOf: (claims, subject) => toArrival(claims, subject, provider, undefined),
      }),
    )
  return issuers.length === 0 ? null : createDirectTokens(issuers, clock, keysOf, accounts)
}

/** What providers assert of users to clients; null without a provider. */
export function openAssertions(
  providers: readonly IdentityProvider[],
  ownIssuer: string,
  clock: Clock,
  keysOf: KeysOf,
  accounts: Accounts,
): IdentityAssertions | null {
  if (providers.length === 0) return null
  const issuers = providers.map((provider) => ({
    issuer: provider.issuer,
    groupsClaim: provider.groupsClaim,
    arrivalOf: (claims: Plain, subject: string) => toArrival(claims, subject, provider, undefined),
  }))
  return createIdentityAssertions(issuers, ownIssuer, clock, keysOf, accounts)
}

/**
 * The issuers of tokens for management, as its metadata names them: Postern first, unless a provider is named alone. And the scopes
 * of ours, for challenges.
 */
export function issuedBy(
  ownIssuer: string,
  providers: readonly Pick<IdentityProvider, 'issuer' | 'direct'>[],
): {
  readonly issuer: string
  readonly authorizationServers: readonly string[]
  readonly scope: string | null
} {
  const direct = providers.filter((provider) => provider.direct !== null)
  const others = direct.map(({ issuer }) => issuer)
  return direct.some((provider) => provider.direct === 'only')
    ? { issuer: ownIssuer, authorizationServers: others, scope: null }
    : { issuer: ownIssuer, authorizationServers: [ownIssuer, ...others], scope: DEFAULT_SCOPE }
}
