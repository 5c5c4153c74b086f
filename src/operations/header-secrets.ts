import { type FieldError, refuse } from '../base/refusal.ts'
import { headerField } from '../model/header-field.ts'
import type { InjectedHeader } from '../model/injected-header.ts'
import type { SecretState } from '../model/secret.ts'
import { isReference } from '../model/secret-reference.ts'
import type { Fields, Resource } from '../store/ports/config.ts'
import type { OperationContext } from './context.ts'

/** A header whose text is secret. */
export interface SecretHeader {
  readonly name: string
  /** Under which its text is sealed. */
  readonly field: string
  /** JSON pointer into the spec. */
  readonly pointer: string
  /** What the spec says of the secret; undefined for one whose text is stored. */
  readonly source: InjectedHeader['secret']
}

/** The headers of a spec, which are there in collections and proxies. */
function headersOf(spec: Fields): readonly InjectedHeader[] {
  // Judged by the schema of the kind, or what was stored by it
  return Array.isArray(spec['headers']) ? spec['headers'] : []
}

export function secretHeadersOf(spec: Fields): readonly SecretHeader[] {
  return headersOf(spec).flatMap(({ name, value, secret }, index) =>
    value === undefined
      ? [{ name, field: headerField(name), pointer: `/headers/${index}/secret`, source: secret }]
      : [],
  )
}

/** Those whose texts are stored. */
export function sealedHeadersOf(spec: Fields): readonly SecretHeader[] {
  return secretHeadersOf(spec).filter(({ source }) => source === undefined)
}

/** Those of the live version and of the draft, by field. */
function sealedFieldsOf({ spec, draft }: Pick<Resource, 'spec' | 'draft'>): ReadonlySet<string> {
  return new Set([spec, draft ?? {}].flatMap(sealedHeadersOf).map(({ field }) => field))
}

/** Resources that have such headers. */
export function idsWithSealedHeaders(resources: readonly Resource[]): string[] {
  return resources.filter((one) => sealedFieldsOf(one).size > 0).map(({ id }) => id)
}

/** Where the secrets of headers are read. */
export function headerReferencesOf(spec: Fields): readonly unknown[] {
  return secretHeadersOf(spec).flatMap(({ source }) => (isReference(source) ? [source] : []))
}

/** The spec with another secret in each header that has one; undefined for none. */
export function withHeaderSecrets(spec: Fields, secretOf: (header: SecretHeader) => unknown): Fields {
  const secrets = new Map(secretHeadersOf(spec).map((header) => [header.name, secretOf(header)]))
  if (secrets.size === 0) return spec
  const headers = headersOf(spec).map((header) => {
    if (header.value !== undefined) return header
    const secret = secrets.get(header.name)
    return secret === undefined ? { name: header.name } : { name: header.name, secret }
  })
  return { ...spec, headers }
}

/** The spec without the texts of secrets: what is stored, compared and shown. */
export function withoutHeaderTexts(spec: Fields): Fields {
  return withHeaderSecrets(spec, ({ source }) => (isReference(source) ? source : undefined))
}

/** A spec in which headers that say nothing of their secret have it read where that was read before. */
export function withKeptReferences(spec: Fields, before: Fields): Fields {
  const known = new Map(secretHeadersOf(before).map(({ field, source }) => [field, source]))
  return withHeaderSecrets(spec, ({ field, source }) => source ?? known.get(field))
}

/** Takes the texts of secrets out of a parsed spec, by field. Refuses secrets that are to stay where none is stored. */
export async function splitHeaders(
  { change, options }: OperationContext,
  spec: Fields,
  before: Resource | null,
): Promise<{ spec: Fields; texts: readonly (readonly [string, string])[] }> {
  if (secretHeadersOf(spec).length === 0) return { spec, texts: [] }
  const isStaged = options.mode === 'draft' && before?.status === 'published'
  const base = (isStaged ? before.draft : null) ?? before?.spec ?? {}
  const settled = withKeptReferences(spec, base)
  const texts = secretHeadersOf(settled).flatMap(({ field, source }) =>
    source !== undefined && 'value' in source ? [[field, source.value] as const] : [],
  )
  const given = new Map(texts)
  const errors: FieldError[] = []
  if (isStaged)
    for (const { field, pointer } of secretHeadersOf(settled))
      if (given.has(field))
        errors.push({
          pointer,
          reason: 'a draft holds no text of a secret; say where it is read, or write live',
        })
  const stored = before === null ? [] : await change.writer.secretsOf([before.id])
  for (const { field, pointer } of sealedHeadersOf(settled))
    if (!stored.some((one) => one.field === field)) errors.push({ pointer, reason: NOTHING_STAYS })
  if (errors.length > 0)
    throw refuse('input_invalid', { detail: `${errors[0]!.pointer}: ${errors[0]!.reason}.`, errors })
  return { spec: withoutHeaderTexts(settled), texts }
}

export const NOTHING_STAYS = 'no secret is stored that could stay; give a value or a secret'

/** Forgets secrets of headers that neither the live version nor the draft has any more. */
export async function forgetHeaders(
  { change }: OperationContext,
  before: Resource,
  after: Resource,
): Promise<void> {
  const kept = sealedFieldsOf(after)
  const gone = [...sealedFieldsOf(before)].filter((field) => !kept.has(field))
  for (const field of gone) await change.writer.removeSecret(after.id, field)
}

/** The spec of a copy, with the texts of the secrets of what is copied. Needs the right to use them. */
export async function withHeaderTexts(
  { change, demand }: OperationContext,
  spec: Fields,
  original: Resource,
): Promise<Fields> {
  const texts = new Map<string, string | undefined>()
  for (const { field } of sealedHeadersOf(spec)) {
    await demand('credentials:use', original)
    texts.set(field, await change.secrets.open(original, field))
  }
  return withHeaderSecrets(spec, ({ field, source }) => {
    const text = texts.get(field)
    return text === undefined ? source : { value: text }
  })
}

/** Sealed headers of a resource of which nothing is stored any more. */
export async function lostHeaders(
  { change }: OperationContext,
  resource: Resource,
): Promise<readonly string[]> {
  const sealed = sealedHeadersOf(resource.spec)
  if (sealed.length === 0) return []
  const stored = await change.writer.secretsOf([resource.id])
  return sealed.filter(({ field }) => !stored.some((one) => one.field === field)).map(({ name }) => name)
}

/** The spec as it is read, with states in the place of secrets. */
export function withHeaderStates(
  spec: Fields,
  stateOf: (field: string, stored: unknown) => SecretState,
): Fields {
  return withHeaderSecrets(spec, ({ field, source }) => stateOf(field, source))
}
