import { z } from 'zod'
import { headerField, isRouting } from '../http-names.ts'
import { HeaderName } from '../members.ts'
import { isReference } from './credential-facts.ts'
import { SecretInput, SecretState } from './secret.ts'

/** RFC 9110 section 5.5 field value: visible ASCII, spaces and tabs inside; never a line break. */
const HeaderValue = z
  .string()
  .max(8192)
  .regex(/^([!-~]([\t -~]*[!-~])?)?$/, 'visible ASCII without line breaks or outer spaces')

/** A header that the gateway adds to the request to the upstream. Without value and secret, the stored secret stays. */
export const InjectedHeader = z
  .strictObject({
    name: HeaderName,
    value: HeaderValue.optional().describe('Plain value'),
    secret: SecretInput.optional().describe(
      'Alternative to value, never shown again: the text, or its source: {"env": name}, {"file": name}, {"vault": {"path", "field"}}. Without value and secret, the stored secret of this header is kept',
    ),
  })
  .refine(({ value, secret }) => value === undefined || secret === undefined, {
    error: 'a value or a secret, not both',
    path: ['secret'],
  })
export type InjectedHeader = z.output<typeof InjectedHeader>

/** Headers of a collection or a proxy. A name may stand several times, but not beside a secret. */
export const InjectedHeaders = z
  .array(InjectedHeader)
  .max(50)
  .check((context) => {
    const names = context.value.map(({ name }) => name.toLowerCase())
    for (const [index, { value }] of context.value.entries()) {
      const isAlone = names.filter((name) => name === names[index]).length === 1
      if (value === undefined && !isAlone)
        context.issues.push({
          code: 'custom',
          message: 'a secret header must not occur twice',
          path: [index, 'name'],
          input: names[index],
        })
    }
  })
  .default([])

/** The same as they are read. */
export const HeaderViews = z.array(
  z.object({ name: HeaderName, value: HeaderValue.optional(), secret: SecretState.optional() }),
)

/** What of configured headers decides where a request, and the credential with it, ends up behind the server that it is sent to. */
export function routingHeaders(headers: readonly InjectedHeader[]): readonly InjectedHeader[] {
  return headers.filter(({ name }) => isRouting(name))
}

/** The spec of a collection or a proxy. */
type Spec = Readonly<Record<string, unknown>>

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
function headersOf(spec: Spec): readonly InjectedHeader[] {
  // Judged by the schema of the kind, or what was stored by it
  return Array.isArray(spec['headers']) ? spec['headers'] : []
}

export function secretHeadersOf(spec: Spec): readonly SecretHeader[] {
  return headersOf(spec).flatMap(({ name, value, secret }, index) =>
    value === undefined
      ? [{ name, field: headerField(name), pointer: `/headers/${index}/secret`, source: secret }]
      : [],
  )
}

/** Those whose texts are stored. */
export function sealedHeadersOf(spec: Spec): readonly SecretHeader[] {
  return secretHeadersOf(spec).filter(({ source }) => source === undefined)
}

/** Those of the live version and of the draft, by field. */
export function sealedFieldsOf({
  spec,
  draft,
}: {
  readonly spec: Spec
  readonly draft: Spec | null
}): ReadonlySet<string> {
  return new Set([spec, draft ?? {}].flatMap(sealedHeadersOf).map(({ field }) => field))
}

/** Resources that have such headers. */
export function idsWithSealedHeaders(
  resources: readonly { readonly id: string; readonly spec: Spec; readonly draft: Spec | null }[],
): string[] {
  return resources.filter((one) => sealedFieldsOf(one).size > 0).map(({ id }) => id)
}

/** Where the secrets of headers are read. */
export function headerReferencesOf(spec: Spec): readonly unknown[] {
  return secretHeadersOf(spec).flatMap(({ source }) => (isReference(source) ? [source] : []))
}

/** The spec with another secret in each header that has one; undefined for none. */
export function withHeaderSecrets(spec: Spec, secretOf: (header: SecretHeader) => unknown): Spec {
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
export function withoutHeaderTexts(spec: Spec): Spec {
  return withHeaderSecrets(spec, ({ source }) => (isReference(source) ? source : undefined))
}

/** A spec in which headers that say nothing of their secret have it read where that was read before. */
export function withKeptReferences(spec: Spec, before: Spec): Spec {
  const known = new Map(secretHeadersOf(before).map(({ field, source }) => [field, source]))
  return withHeaderSecrets(spec, ({ field, source }) => source ?? known.get(field))
}

/** The spec as it is read, with states in the place of secrets. */
export function withHeaderStates(spec: Spec, stateOf: (field: string, stored: unknown) => SecretState): Spec {
  return withHeaderSecrets(spec, ({ field, source }) => stateOf(field, source))
}
