import { readFileSync } from 'node:fs'
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
import { readClientKey } from '../oauth/sign-in/client-auth.ts'
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

/** The identity provider of the settings. Throws CannotStart for a rule that grants nothing, and for a key that signs nothing. */
export function toOidcProvider(settings: OidcSettings): IdentityProvider {
  const fault = faultOfRoleMap(settings.roleMap)
  if (fault !== null) throw new CannotStart(`${settingName('OIDC_ROLE_MAP')}: ${fault}.`)
  const { clientSecret, clientSecretFile, clientKeyFile } = settings
  if (clientKeyFile !== null) demandKey(clientKeyFile)
  return {
    ...settings,
    proof: async () => ({
      secret:
        clientSecretFile === null
          ? (clientSecret?.reveal() ?? null)
          : (await readFile(clientSecretFile, 'utf8')).trim(),
      key: clientKeyFile === null ? null : readClientKey(await readFile(clientKeyFile, 'utf8')),
    }),
  }
}

function demandKey(file: string): void {
  try {
    readClientKey(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new CannotStart(
      `${settingName('OIDC_CLIENT_KEY_FILE')}: ${file} cannot be used: ${(error as Error).message}.`,
    )
  }
}

/** The first role that claims are mapped to and that does not exist, as a sentence; null when all exist. */
export async function faultOfRoles(
  { roleMap }: Pick<OidcSettings, 'roleMap'>,
  reader: ConfigReader,
): Promise<string | null> {
  for (const { grant } of roleMap) {
    const parsed = parseGrant(grant)
    if (typeof parsed === 'string' || isBuiltIn(parsed.role)) continue
    if ((await roleOf(parsed.role, reader)) === undefined)
      return `${settingName('OIDC_ROLE_MAP')}: there is no role "${parsed.role}", which "${grant}" names. Correct the rule, or start without it, create the role, and start again with it.`
  }
  return null
}

/** Throws CannotStart where claims are mapped to a role that does not exist. */
export async function demandRoles(
  provider: Pick<OidcSettings, 'roleMap'>,
  reader: ConfigReader,
): Promise<void> {
  const fault = await faultOfRoles(provider, reader)
  if (fault !== null) throw new CannotStart(fault)
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
): {
  readonly issuer: string
  readonly authorizationServers: readonly string[]
  readonly scope: string | null
} {
  const issuer = ownIssuer
  switch (provider?.direct) {
    case 'on':
      return { issuer, authorizationServers: [ownIssuer, provider.issuer], scope: DEFAULT_SCOPE }
    case 'only':
      return { issuer, authorizationServers: [provider.issuer], scope: null }
    default:
      return { issuer, authorizationServers: [ownIssuer], scope: DEFAULT_SCOPE }
  }
}
