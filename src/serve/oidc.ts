import { readFile } from 'node:fs/promises'
import type { Accounts } from '../access/accounts.ts'
import { createDirectTokens, type DirectIssuer, type DirectTokens } from '../access/direct-tokens.ts'
import { isBuiltIn, parseGrant } from '../access/grant-text.ts'
import { roleOf } from '../access/identities.ts'
import { createIdentityAssertions, type IdentityAssertions } from '../access/identity-assertions.ts'
import type { KeysOf } from '../access/issuer-keys.ts'
import { DEFAULT_SCOPE } from '../access/scopes.ts'
import { CannotStart } from '../base/cannot-start.ts'
import type { Clock } from '../base/clock.ts'
import type { Plain } from '../base/plain.ts'
import type { ProtectedResources } from '../base/protected-resources.ts'
import { faultOfRoleMap, toArrival } from '../oauth/sign-in/arrivals.ts'
import type { OidcProvider } from '../oauth/sign-in/oidc.ts'
import { settingName } from '../settings/schema.ts'
import type { OidcSettings } from '../settings.ts'
import type { ConfigReader } from '../store/ports/config.ts'

/** The identity provider as the control plane knows it. */
export interface IdentityProvider extends OidcProvider {
  /** Whether management takes its access tokens; `only` names it alone as the one that issues tokens. */
  readonly direct: OidcSettings['direct']
  /** What must be in `aud` of these; null for the URL of the resource. */
  readonly audience: string | null
}

/** The identity provider of the settings. Throws CannotStart for a rule that grants nothing. */
export function toOidcProvider(settings: OidcSettings): IdentityProvider {
  const fault = faultOfRoleMap(settings.roleMap)
  if (fault !== null) throw new CannotStart(`${settingName('OIDC_ROLE_MAP')}: ${fault}.`)
  const { clientSecret, clientSecretFile } = settings
  return {
    ...settings,
    secret: async () =>
      clientSecretFile === null
        ? (clientSecret?.reveal() ?? null)
        : (await readFile(clientSecretFile, 'utf8')).trim(),
  }
}

/** Tells of roles that claims are mapped to and that are not there: what is mapped to one gives nothing. */
export async function warnOfRoles(
  { roleMap }: Pick<IdentityProvider, 'roleMap'>,
  reader: ConfigReader,
  warn: (sentence: string) => void,
): Promise<void> {
  for (const { grant } of roleMap) {
    const parsed = parseGrant(grant)
    if (typeof parsed === 'string' || isBuiltIn(parsed.role)) continue
    if ((await roleOf(parsed.role, reader)) === undefined)
      warn(
        `${settingName('OIDC_ROLE_MAP')}: there is no role "${parsed.role}", so "${grant}" gives nothing until one is made.`,
      )
  }
}

/** The access tokens of the provider, where management takes them; null where it does not. */
export function openDirect(
  provider: IdentityProvider | null,
  { namesOf }: ProtectedResources,
  clock: Clock,
  keysOf: KeysOf,
  accounts: Accounts,
): DirectTokens | null {
  if (provider === null || provider.direct === null) return null
  const issuer: DirectIssuer = {
    issuer: provider.issuer,
    clientId: provider.clientId,
    audiencesOf: (resource) => (provider.audience === null ? namesOf(resource) : [provider.audience]),
    arrivalOf: (claims, subject) => toArrival(claims, subject, provider, undefined),
  }
  return createDirectTokens(issuer, clock, keysOf, accounts)
}

/** What the provider asserts of users to clients; null without a provider. */
export function openAssertions(
  provider: IdentityProvider | null,
  ownIssuer: string,
  clock: Clock,
  keysOf: KeysOf,
  accounts: Accounts,
): IdentityAssertions | null {
  if (provider === null) return null
  const { issuer, groupsClaim } = provider
  const arrivalOf = (claims: Plain, subject: string) => toArrival(claims, subject, provider, undefined)
  return createIdentityAssertions({ issuer, groupsClaim, arrivalOf }, ownIssuer, clock, keysOf, accounts)
}

/** Who issues tokens for management, as its metadata names them: ours first. And the scopes of ours, for challenges. */
export function issuedBy(
  ownIssuer: string,
  provider: IdentityProvider | null,
): { readonly authorizationServers: readonly string[]; readonly scope: string | null } {
  switch (provider?.direct) {
    case 'on':
      return { authorizationServers: [ownIssuer, provider.issuer], scope: DEFAULT_SCOPE }
    case 'only':
      return { authorizationServers: [provider.issuer], scope: null }
    default:
      return { authorizationServers: [ownIssuer], scope: DEFAULT_SCOPE }
  }
}
