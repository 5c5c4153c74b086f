import { contentHash } from '../../base/json/canonical.ts'
import { isPlain } from '../../base/json/storable.ts'
import { type FieldError, Refusal } from '../../base/refusal.ts'
import { yieldThread } from '../../base/threads/time-slices.ts'
import { isReference } from '../../model/api/credential-facts.ts'
import { idsWithSealedHeaders, withoutHeaderTexts } from '../../model/api/injected-header.ts'
import { IMPORTED_VALIDATION, JsonSchema } from '../../model/api/proxy.ts'
import type { ConfigReader, StoredSecret } from '../../store/ports/config.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import { collectionKind } from '../collections/kind.ts'
import type { Kind } from '../engine/kind.ts'
import { writableSchema } from '../engine/kind-schema.ts'
import { KEEP } from '../engine/resource-secrets.ts'
import { readable, referred } from '../engine/views.ts'
import { parseSpec } from '../engine/write-resource.ts'
import { ALL_KINDS, kindOf } from '../kinds.ts'
import { addressBy, addressIn, mapEndpoints } from './address.ts'
import { type ReadDocument, refuseFaults } from './read-documents.ts'

/** All that a principal sees of the configuration, read at once. */
export interface State {
  readonly byAddress: ReadonlyMap<string, Resource>
  readonly byId: ReadonlyMap<string, Resource>
  /** By id. */
  readonly slugs: ReadonlyMap<string, string>
  /** What references are called in documents, by id: the slug, and of a profile `client:slug`. */
  readonly called: ReadonlyMap<string, string>
  /** By owner. */
  readonly secrets: ReadonlyMap<string, readonly StoredSecret[]>
}

/** Reads all of it, and lets others have their turn between two kinds. */
export async function readState(reader: ConfigReader): Promise<State> {
  const byId = new Map<string, Resource>()
  const slugs = new Map<string, string>()
  let done = 0
  for (const { type } of ALL_KINDS) {
    for (const resource of await reader.all(type)) {
      byId.set(resource.id, resource)
      slugs.set(resource.id, resource.slug)
      await yieldThread(++done)
    }
    await yieldThread(0)
  }
  // Who sees a resource sees what it refers to by its slug
  const unseen = new Set<string>()
  const owners: string[] = []
  for (const resource of byId.values()) {
    const kind = kindOf(resource.type)
    for (const id of referred(kind, [resource])) if (!slugs.has(id)) unseen.add(id)
    owners.push(...(kind.secrets === undefined ? idsWithSealedHeaders([resource]) : [resource.id]))
    await yieldThread(++done)
  }
  for (const [id, slug] of await reader.slugs([...unseen])) slugs.set(id, slug)
  const secrets = Map.groupBy(await reader.secretsOf(owners), ({ owner }) => owner)
  const byAddress = new Map<string, Resource>()
  const called = new Map(slugs)
  for (const resource of byId.values()) {
    const { id, type, slug, parent } = resource
    byAddress.set(addressIn(slugs, resource), resource)
    if (type === 'profiles' && parent !== null) called.set(id, `${slugs.get(parent) ?? parent}:${slug}`)
    await yieldThread(++done)
  }
  return { byAddress, byId, slugs, called, secrets }
}

/** A stored spec in the words of documents, without secrets: references as slugs, endpoints as addresses. */
export async function toWords(state: State, resource: Resource): Promise<Fields> {
  const kind = kindOf(resource.type)
  const words = await readable(kind, resource.spec, state.called)
  for (const name of kind.fixed ?? []) delete words[name]
  return mapEndpoints(kind, words, (entry) => {
    const proxy = entry.startsWith('prx_') ? state.byId.get(entry) : undefined
    return proxy === undefined ? entry : addressIn(state.slugs, proxy)
  })
}

/** The same with every member that the schema of the kind has today: older specs lack later ones. */
export function completed(kind: Kind, words: Fields): Fields {
  const fields = secretMembersOf(kind, words)
  const auth = words['auth'] as Fields
  const kept = fields.filter((field) => !isReference(auth[field]))
  const parsed = writableSchema(kind).safeParse(
    kept.length === 0
      ? words
      : { ...words, auth: { ...auth, ...Object.fromEntries(kept.map((one) => [one, KEEP])) } },
  )
  // What cannot be read by the schema any more is compared as it stands
  if (!parsed.success) return words
  const { slug: _slug, ...spec } = parsed.data
  return withoutSecrets(kind, spec)
}

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
      else errors.push({ pointer: document.place, reason: `${one.address} also occurs at ${twin.place}` })
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
