import { headerField } from '../../model/header-field.ts'
import type { InjectedHeader } from '../../model/injected-header.ts'
import type { SecretState } from '../../model/secret.ts'
import { isReference } from '../../model/secret-reference.ts'
import type { Fields, Resource } from '../../store/ports/config.ts'

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
export function sealedFieldsOf({ spec, draft }: Pick<Resource, 'spec' | 'draft'>): ReadonlySet<string> {
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

/** The spec as it is read, with states in the place of secrets. */
export function withHeaderStates(
  spec: Fields,
  stateOf: (field: string, stored: unknown) => SecretState,
): Fields {
  return withHeaderSecrets(spec, ({ field, source }) => stateOf(field, source))
}
