/** The identity provider of the settings `POSTERN_OIDC_*`. */
import type { z } from 'zod'
import { Secret } from '../base/crypto/token.ts'
import { CannotStart } from '../base/refusal.ts'
import { type RoleRule, type SCHEMA, type SettingName, settingName } from './schema.ts'
import type { CLIENT_AUTH_METHODS } from './values.ts'

type Values = z.output<typeof SCHEMA>
/** How a setting is named to the person who starts Postern. */
type Named = (name: SettingName) => string

/** Where an identity provider is configured. */
export interface ProviderPlace {
  /** Name of a further provider in URLs, and before its groups; null for the first provider. */
  readonly slug: string | null
  /** Path of the file that has a further provider; null for the first provider. */
  readonly file: string | null
}

/** An identity provider at which people sign in. */
export interface OidcSettings extends ProviderPlace {
  /** Label of its button on the sign-in page. */
  readonly name: string
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: Secret | null
  /** In its place; read anew from time to time. */
  readonly clientSecretFile: string | null
  /** Path of a private key in the place of a secret; the same. */
  readonly clientKeyFile: string | null
  /** How the gateway authenticates at the token endpoint; null leaves it to what it has and the provider takes. */
  readonly clientAuth: Exclude<(typeof CLIENT_AUTH_METHODS)[number], 'auto'> | null
  /** Separated by spaces. */
  readonly scopes: string
  readonly groupsClaim: string
  readonly roleMap: readonly RoleRule[]
  /** Whether management takes its access tokens, or null; `only` names it alone as the one that issues tokens. */
  readonly direct: 'on' | 'only' | null
  /** What must be in `aud` of these; null for the URL of the resource. */
  readonly audience: string | null
}

const NEED_AN_ISSUER = [
  'OIDC_CLIENT_ID',
  'OIDC_CLIENT_SECRET',
  'OIDC_CLIENT_SECRET_FILE',
  'OIDC_CLIENT_KEY_FILE',
  'OIDC_ROLE_MAP',
  'OIDC_AUDIENCE',
] as const

/** The first provider; null without one. Throws CannotStart for settings that do not go together. */
export function toOidc(given: Values, named: Named): OidcSettings | null {
  const { OIDC_ISSUER, OIDC_CLIENT_ID, OIDC_CLIENT_SECRET, OIDC_CLIENT_SECRET_FILE } = given
  if (OIDC_ISSUER === undefined) {
    for (const name of NEED_AN_ISSUER)
      if (given[name] !== undefined)
        throw new CannotStart(`${named(name)} is for an identity provider: set ${named('OIDC_ISSUER')} too.`)
    if (given.OIDC_DIRECT !== 'off')
      throw new CannotStart(
        `${named('OIDC_DIRECT')} needs ${named('OIDC_ISSUER')}, the issuer of the accepted tokens.`,
      )
    return null
  }
  if (OIDC_CLIENT_ID === undefined)
    throw new CannotStart(
      `${named('OIDC_ISSUER')} needs ${named('OIDC_CLIENT_ID')}, the client ID of the gateway at the provider.`,
    )
  if (given.OIDC_AUDIENCE === OIDC_CLIENT_ID)
    throw new CannotStart(
      `${named('OIDC_AUDIENCE')} and ${named('OIDC_CLIENT_ID')} are the same, so Postern could not distinguish ID tokens from access tokens. Register the API at the provider under another name.`,
    )
  if (OIDC_CLIENT_SECRET !== undefined && OIDC_CLIENT_SECRET_FILE !== undefined)
    throw new CannotStart(
      `${named('OIDC_CLIENT_SECRET')} and ${named('OIDC_CLIENT_SECRET_FILE')} are both set: remove one of the two.`,
    )
  demandProof(given, named)
  return {
    slug: null,
    file: null,
    name: new URL(OIDC_ISSUER).host,
    issuer: OIDC_ISSUER,
    clientId: OIDC_CLIENT_ID,
    clientSecret: OIDC_CLIENT_SECRET === undefined ? null : new Secret(OIDC_CLIENT_SECRET),
    clientSecretFile: OIDC_CLIENT_SECRET_FILE ?? null,
    clientKeyFile: given.OIDC_CLIENT_KEY_FILE ?? null,
    clientAuth: given.OIDC_CLIENT_AUTH === 'auto' ? null : given.OIDC_CLIENT_AUTH,
    scopes: given.OIDC_SCOPES,
    groupsClaim: given.OIDC_GROUPS_CLAIM,
    roleMap: given.OIDC_ROLE_MAP ?? [],
    direct: given.OIDC_DIRECT === 'off' ? null : given.OIDC_DIRECT,
    audience: given.OIDC_AUDIENCE ?? null,
  }
}

/** The client authentication and what it shows must go together. */
function demandProof(given: Values, named: Named): void {
  const {
    OIDC_CLIENT_SECRET,
    OIDC_CLIENT_SECRET_FILE,
    OIDC_CLIENT_KEY_FILE,
    OIDC_CLIENT_AUTH: method,
  } = given
  const secret =
    OIDC_CLIENT_SECRET !== undefined
      ? 'OIDC_CLIENT_SECRET'
      : OIDC_CLIENT_SECRET_FILE !== undefined
        ? 'OIDC_CLIENT_SECRET_FILE'
        : null
  if (secret !== null && OIDC_CLIENT_KEY_FILE !== undefined)
    throw new CannotStart(
      `${named(secret)} and ${named('OIDC_CLIENT_KEY_FILE')} are both set: remove one of the two.`,
    )
  if (method === 'auto') return
  const set = `${named('OIDC_CLIENT_AUTH')} is "${method}"`
  if (method === 'private_key_jwt' && OIDC_CLIENT_KEY_FILE === undefined)
    throw new CannotStart(`${set}, which needs ${named('OIDC_CLIENT_KEY_FILE')}.`)
  if (method.startsWith('client_secret') && secret === null)
    throw new CannotStart(
      `${set}, which needs ${named('OIDC_CLIENT_SECRET')} or ${named('OIDC_CLIENT_SECRET_FILE')}.`,
    )
  if (method !== 'private_key_jwt' && OIDC_CLIENT_KEY_FILE !== undefined)
    throw new CannotStart(
      `${set}, and ${named('OIDC_CLIENT_KEY_FILE')} is for "private_key_jwt": change one of the two.`,
    )
  if (method === 'none' && secret !== null)
    throw new CannotStart(`${set}, and ${named(secret)} is set: remove one of the two.`)
}

/** A member of a provider as the administrator finds it: the setting, or the entry and its member in the file. */
export function memberName({ slug, file }: ProviderPlace, member: ProviderMember): string {
  if (slug === null) return settingName(`OIDC_${member}`)
  return `${member.toLowerCase()} of "${slug}" in ${file}`
}

type ProviderMember = 'ISSUER' | 'ROLE_MAP' | 'CLIENT_AUTH' | 'CLIENT_KEY_FILE'
