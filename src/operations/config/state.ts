import { yieldThread } from '../../base/threads/time-slices.ts'
import { isReference } from '../../model/api/credential-facts.ts'
import { idsWithSealedHeaders } from '../../model/api/injected-header.ts'
import type { ConfigReader, StoredSecret } from '../../store/ports/config.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { Kind } from '../engine/kind.ts'
import { writableSchema } from '../engine/kind-schema.ts'
import { KEEP } from '../engine/resource-secrets.ts'
import { readable, referred } from '../engine/views.ts'
import { ALL_KINDS, kindOf } from '../kinds.ts'
import { addressIn } from './address.ts'
import { secretMembersOf, withoutSecrets } from './desired.ts'
import { mapEndpoints } from './endpoint-refs.ts'

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
