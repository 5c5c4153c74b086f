import { contentHash } from '../../base/json/canonical.ts'
import { isPlain } from '../../base/json/plain.ts'
import { type FieldError, Refusal } from '../../base/refusal.ts'
import { isReference } from '../../model/api/credential-facts.ts'
import { withoutHeaderTexts } from '../../model/api/injected-header.ts'
import { IMPORTED_VALIDATION, JsonSchema } from '../../model/api/proxy.ts'
import type { Fields } from '../../store/ports/resource.ts'
import { collectionKind } from '../collections/kind.ts'
import type { Kind } from '../engine/kind.ts'
import { writableSchema } from '../engine/kind-schema.ts'
import { KEEP } from '../engine/resource-secrets.ts'
import { parseSpec } from '../engine/write-resource.ts'
import { addressBy } from './address.ts'
import { type ReadDocument, refuseFaults } from './read-documents.ts'

/** What a document wants, by the schema of its kind. References are as they were written. */
export interface Desired {
  readonly kind: Kind
  readonly slug: string
  readonly address: string
  /** Parsed, without the slug. */
  readonly spec: Fields
  /** Secret fields that the document leaves out: they stay as they are stored. */
  readonly kept: readonly string[]
  /** Members that a document may leave out to let them be as they are. */
  readonly silent: readonly string[]
  /** Shared schemas of a collection, to be stored under the hash that the spec has. */
  readonly schemas: Fields | null
  readonly place: string
  readonly specPlace: string
  /** Of an OpenAPI description. */
  readonly isDescribed: boolean
}

/** States that a document leaves alone when it does not name them: silence must not publish, hide or revive anything. */
export const STATES = ['status', 'active', 'schemas'] as const

/** Judges documents by the schemas of their kinds. Refuses with input_invalid, naming every fault. */
export function toDesired(documents: readonly ReadDocument[]): readonly Desired[] {
  const errors: FieldError[] = []
  const desired = new Map<string, Desired>()
  for (const document of documents) {
    try {
      const one = judge(document)
      const twin = desired.get(one.address)
      if (twin === undefined) desired.set(one.address, one)
      else errors.push({ pointer: document.place, reason: `${one.address} stands at ${twin.place} already` })
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      for (const { pointer, reason } of error.facts.errors ?? [])
        errors.push({ pointer: document.specPlace + pointer, reason })
    }
  }
  refuseFaults(errors)
  return [...desired.values()]
}

function judge({ kind, slug, spec: written, place, specPlace, isDescribed }: ReadDocument): Desired {
  const { spec: filled, kept } = withKept(kind, written)
  const { spec: plain, schemas } = withSchemas(kind, filled)
  const isImported = isDescribed && kind === collectionKind && written['request_validation'] === undefined
  const implied = isImported ? { request_validation: IMPORTED_VALIDATION } : {}
  const { slug: _slug, ...spec } = parseSpec(writableSchema(kind), { ...plain, ...implied, slug })
  const silent: string[] = STATES.filter((name) => name in kind.spec.shape && !Object.hasOwn(written, name))
  // As in a newer version of a description that is imported: how requests are judged is not for the description to change.
  if (isImported) silent.push('request_validation')
  const address = addressBy(kind, spec, slug)
  return { kind, slug, address, spec, kept, silent, schemas, place, specPlace, isDescribed }
}

/** Secrets that are left out are those that are stored. */
function withKept(kind: Kind, spec: Fields): { spec: Fields; kept: readonly string[] } {
  const fields = secretMembersOf(kind, spec)
  const auth = spec['auth'] as Fields
  const kept = fields.filter((field) => auth[field] === undefined || auth[field] === null)
  if (kept.length === 0) return { spec, kept }
  return { spec: { ...spec, auth: { ...auth, ...Object.fromEntries(kept.map((one) => [one, KEEP])) } }, kept }
}

/** Names of the secret fields of a spec, also of one that is not judged yet. */
export function secretMembersOf(kind: Kind, spec: Fields): readonly string[] {
  if (kind.secrets === undefined || !isPlain(spec['auth'])) return []
  // Of an unknown type there are none to name
  return kind.secrets(spec) ?? []
}

/** The shared schemas of a collection stand in its document; what is stored in the spec is their hash. */
function withSchemas(kind: Kind, spec: Fields): { spec: Fields; schemas: Fields | null } {
  const schemas = spec['schemas']
  if (kind.type !== 'collections' || !isPlain(schemas)) return { spec, schemas: null }
  const wrong = Object.entries(schemas).find(([, one]) => !JsonSchema.safeParse(one).success)
  // Judged by the schema of the kind, which wants a hash
  if (wrong !== undefined) return { spec, schemas: null }
  return { spec: { ...spec, schemas: `sha256-${contentHash(schemas)}` }, schemas }
}

/** The spec without secrets: what is compared, shown and kept. */
export function withoutSecrets(kind: Kind, spec: Fields): Fields {
  const fields = secretMembersOf(kind, spec)
  if (fields.length === 0) return withoutHeaderTexts(spec)
  const auth = Object.entries(spec['auth'] as Fields).filter(
    ([name, value]) => !fields.includes(name) || isReference(value),
  )
  return { ...spec, auth: Object.fromEntries(auth) }
}
