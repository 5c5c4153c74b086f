/**
 * The file with further identity providers.
 *
 * 1. Every fault is found before anything listens, and its message names the entry and the member.
 * 2. The file holds no secret: secrets and keys are in files of their own, which messages name but never quote.
 */
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { z } from 'zod'
import { fieldErrorsOf } from '../base/json/fault.ts'
import { unstorableIn } from '../base/json/storable.ts'
import { CannotStart, type FieldError, Refusal } from '../base/refusal.ts'
import { hasUnseen, printable } from '../base/text/visible.ts'
import { readText } from '../import/text/configuration.ts'
import type { Settings } from '../settings.ts'
import type { OidcSettings } from './oidc.ts'
import { RoleMap, settingName } from './schema.ts'
import {
  Audience,
  ClaimName,
  ClientAuth,
  ClientId,
  DEFAULT_GROUPS_CLAIM,
  DEFAULT_SCOPES,
  Direct,
  FilePath,
  IssuerUrl,
  Scopes,
} from './values.ts'

const FILE_BYTES_MAX = 1024 ** 2
/** The sign-in page has a button for each provider. */
const PROVIDERS_MAX = 20
/** Faults that one message names. */
const FAULTS_SHOWN = 10

/** Part of a URL path, and of the names of groups, where a slash ends it. */
const ProviderSlug = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,31}$/, 'lower-case letters, digits and hyphens, at most 32, a letter first')

const ProviderName = z
  .string()
  .trim()
  .min(1, 'a name for the button')
  .max(60, 'at most 60 characters')
  .refine((name) => !hasUnseen(name), 'visible characters')

const Provider = z.strictObject({
  slug: ProviderSlug,
  name: ProviderName,
  issuer: IssuerUrl,
  client_id: ClientId,
  client_secret: z.never('in a separate file: name that file in client_secret_file').optional(),
  client_secret_file: FilePath.optional(),
  client_key_file: FilePath.optional(),
  client_auth: ClientAuth.default('auto'),
  scopes: Scopes.prefault(DEFAULT_SCOPES),
  groups_claim: ClaimName.default(DEFAULT_GROUPS_CLAIM),
  role_map: z.preprocess(joined, RoleMap).prefault(''),
  direct: Direct.default('off'),
  audience: Audience.optional(),
})
type Provider = z.output<typeof Provider>

const ProvidersFile = z.array(Provider).max(PROVIDERS_MAX, `a list of at most ${PROVIDERS_MAX} providers`)

/** A list of rules as the text of the setting. */
function joined(given: unknown): unknown {
  return Array.isArray(given) && given.every((rule) => typeof rule === 'string') ? given.join(';') : given
}

/**
 * All identity providers at which people sign in: that of the settings first, then those of the file in its order. Throws
 * CannotStart that names the file, the entry and the member.
 */
export function readProviders({
  oidc,
  oidcProvidersFile: path,
}: Pick<Settings, 'oidc' | 'oidcProvidersFile'>): readonly OidcSettings[] {
  const first = oidc === null ? [] : [oidc]
  if (path === null) return first
  const given = readFile(path)
  const unusable = unstorableIn(given)
  if (unusable.length > 0) throw faulty(path, unusable, given)
  const parsed = ProvidersFile.safeParse(given)
  if (!parsed.success) {
    const errors = fieldErrorsOf(parsed.error, ProvidersFile)
    throw faulty(
      path,
      errors.map(({ pointer, reason }) => ({ pointer, reason: sentenceOf(reason) })),
      given,
    )
  }
  const errors = parsed.data.flatMap((provider, index) => [
    ...faultsTogether(provider, index),
    ...faultsOfFiles(provider, index, path),
    ...faultsOfTwins(provider, index, parsed.data, oidc),
  ])
  if (errors.length > 0) throw faulty(path, errors, given)
  return [...first, ...parsed.data.map((provider) => toOidcSettings(provider, path))]
}

function readFile(path: string): unknown {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new CannotStart(`${fileName(path)}: the file cannot be read.`, error)
  }
  try {
    return readText(text, FILE_BYTES_MAX)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    throw faulty(path, error.facts.errors ?? [{ pointer: '', reason: error.message }], null)
  }
}

const fileName = (path: string): string => `${settingName('OIDC_PROVIDERS_FILE')} ${path}`

/** @param given value of the file, of which entries are named by their slugs */
function faulty(path: string, errors: readonly FieldError[], given: unknown): CannotStart {
  const shown = errors
    .slice(0, FAULTS_SHOWN)
    .map(({ pointer, reason }) => printable(`${placeOf(pointer, given)}: ${reason}`))
  const more = errors.length > FAULTS_SHOWN ? `; and ${errors.length - FAULTS_SHOWN} more` : ''
  return new CannotStart(`${fileName(path)} is not valid: ${shown.join('; ')}${more}.`)
}

/** `entry 2 ("partner"), issuer` for `/1/issuer`. */
function placeOf(pointer: string, given: unknown): string {
  const [, index, ...path] = pointer.split('/')
  const members = path.filter((member) => member !== '')
  if (index === undefined) return 'the file'
  const entry: unknown = Array.isArray(given) ? given[Number(index)] : undefined
  const slug = (entry as { slug?: unknown } | null | undefined)?.slug
  const called = typeof slug === 'string' && slug.length <= 64 ? ` ("${slug}")` : ''
  const number = /^[0-9]+$/.test(index) ? String(Number(index) + 1) : index
  return `entry ${number}${called}${members.length === 0 ? '' : `, ${members.join('/')}`}`
}

/** Schemas of settings say what a value must be as a noun. */
function sentenceOf(reason: string): string {
  return /^(must|required|unknown)\b/.test(reason) ? reason : `must be ${reason}`
}

/** Rules over several members of an entry, as for the settings of the first provider. */
function faultsTogether(provider: Provider, index: number): FieldError[] {
  const { client_auth: method, client_secret_file: secret, client_key_file: key } = provider
  const errors: FieldError[] = []
  const fault = (member: keyof Provider, reason: string): void => {
    errors.push({ pointer: `/${index}/${member}`, reason })
  }
  if (provider.audience === provider.client_id)
    fault(
      'audience',
      'is also the client_id, so Postern could not distinguish ID tokens from access tokens: register the API at the provider under another name',
    )
  if (secret !== undefined && key !== undefined)
    fault('client_key_file', 'is set, and client_secret_file too: remove one of the two')
  if (method === 'private_key_jwt' && key === undefined)
    fault('client_auth', 'is "private_key_jwt", which needs client_key_file')
  if (method.startsWith('client_secret') && secret === undefined)
    fault('client_auth', `is "${method}", which needs client_secret_file`)
  if (method === 'none' && secret !== undefined)
    fault('client_auth', 'is "none", and client_secret_file is set: remove one of the two')
  if (method !== 'auto' && method !== 'private_key_jwt' && key !== undefined)
    fault(
      'client_auth',
      `is "${method}", and client_key_file is for "private_key_jwt": change one of the two`,
    )
  return errors
}

/** Files that an entry names and that cannot be read now. */
function faultsOfFiles(provider: Provider, index: number, path: string): FieldError[] {
  return (['client_secret_file', 'client_key_file'] as const).flatMap((member) => {
    const file = within(path, provider[member])
    if (file === null) return []
    try {
      if (readFileSync(file, 'utf8').trim() !== '') return []
      return [{ pointer: `/${index}/${member}`, reason: `is ${file}, which is empty` }]
    } catch {
      return [{ pointer: `/${index}/${member}`, reason: `is ${file}, which cannot be read` }]
    }
  })
}

/** Users are known by the issuer, callbacks by the slug, and buttons by the name. */
function faultsOfTwins(
  provider: Provider,
  index: number,
  all: readonly Provider[],
  first: OidcSettings | null,
): FieldError[] {
  return (['slug', 'issuer', 'name'] as const).flatMap((member) => {
    const at = all.findIndex((other) => other[member] === provider[member])
    const twin =
      at < index
        ? `entry ${at + 1}`
        : first?.[member] === provider[member]
          ? settingName('OIDC_ISSUER')
          : null
    return twin === null
      ? []
      : [
          {
            pointer: `/${index}/${member}`,
            reason: `is also used by ${twin}: each provider must have its own`,
          },
        ]
  })
}

/** A path of the file, from its folder on. */
function within(path: string, file: string | undefined): string | null {
  return file === undefined ? null : resolve(dirname(path), file)
}

function toOidcSettings(provider: Provider, path: string): OidcSettings {
  return {
    slug: provider.slug,
    file: path,
    name: provider.name,
    issuer: provider.issuer,
    clientId: provider.client_id,
    clientSecret: null,
    clientSecretFile: within(path, provider.client_secret_file),
    clientKeyFile: within(path, provider.client_key_file),
    clientAuth: provider.client_auth === 'auto' ? null : provider.client_auth,
    scopes: provider.scopes,
    groupsClaim: provider.groups_claim,
    roleMap: provider.role_map,
    direct: provider.direct === 'off' ? null : provider.direct,
    audience: provider.audience ?? null,
  }
}
