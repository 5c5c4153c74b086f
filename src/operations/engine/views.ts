import { isReference, referenceText } from '../../model/api/credential-facts.ts'
import { idsWithSealedHeaders, withHeaderStates } from '../../model/api/injected-header.ts'
import type { SecretState } from '../../model/api/secret.ts'
import type { ConfigReader, StoredSecret } from '../../store/ports/config.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { KindSchema } from './kind-schema.ts'
import { idsAt, idsOf, mapRefs } from './refs.ts'

/** Resources as callers read them: references as slugs, secrets as their state. */
export async function viewsOf(
  reader: ConfigReader,
  kind: KindSchema,
  resources: readonly Resource[],
): Promise<Record<string, unknown>[]> {
  const slugs = await slugsOf(reader, kind, resources)
  const owners = kind.secrets === undefined ? idsWithSealedHeaders(resources) : resources.map(({ id }) => id)
  const secrets = owners.length === 0 ? [] : await reader.secretsOf(owners)
  return Promise.all(resources.map((resource) => toView(kind, resource, slugs, secrets)))
}

/** One resource as callers read it. */
export async function viewOf(
  reader: ConfigReader,
  kind: KindSchema,
  resource: Resource,
): Promise<Record<string, unknown>> {
  return (await viewsOf(reader, kind, [resource]))[0]!
}

/** Every id that the resources refer to. */
export function referred(kind: KindSchema, resources: readonly Resource[]): string[] {
  const ids = resources.flatMap(({ spec, draft, parent }) => [
    ...idsOf(kind, spec),
    ...(draft === null ? [] : idsOf(kind, draft)),
    ...(parent === null ? [] : [parent]),
  ])
  return [...new Set(ids)]
}

/** What references of the resources are called, by id: the slug, and below another resource `parent:slug`. */
export async function slugsOf(
  reader: ConfigReader,
  kind: KindSchema,
  resources: readonly Resource[],
): Promise<ReadonlyMap<string, string>> {
  const slugs = new Map(await reader.slugs(referred(kind, resources)))
  const below = kind.refs.filter(({ type }) => type === 'profiles')
  const ids = new Set(
    resources.flatMap(({ spec, draft }) =>
      [spec, draft ?? spec].flatMap((one) => below.flatMap((field) => idsAt(field, one))),
    ),
  )
  for (const id of ids) {
    const profile = await reader.byId('profiles', id)
    const above =
      profile?.parent == null ? undefined : (await reader.slugs([profile.parent])).get(profile.parent)
    if (profile !== undefined && above !== undefined) slugs.set(id, `${above}:${profile.slug}`)
  }
  return slugs
}

/** The spec with references as slugs, for reading and for diffs. */
export function readable(
  kind: KindSchema,
  spec: Fields,
  slugs: ReadonlyMap<string, string>,
): Promise<Record<string, unknown>> {
  return mapRefs(kind, spec, (id) => slugs.get(id) ?? id)
}

async function toView(
  kind: KindSchema,
  resource: Resource,
  slugs: ReadonlyMap<string, string>,
  secrets: readonly StoredSecret[],
): Promise<Record<string, unknown>> {
  const { id, slug, revision, created_at, created_by, updated_at, updated_by, managed_by } = resource
  const shown = async (fields: Fields): Promise<Fields> =>
    withHeaderStates(await readable(kind, fields, slugs), (field, stored) =>
      stateOf(resource, field, stored, secrets),
    )
  const spec = await shown(resource.spec)
  const view: Record<string, unknown> = {
    id,
    slug,
    revision,
    ...spec,
    ...(kind.secrets === undefined ? {} : { auth: withStates(kind, resource, secrets) }),
    created_at,
    created_by,
    updated_at,
    updated_by,
    managed_by,
  }
  if (resource.draft !== null) view['pending_draft'] = await shown(resource.draft)
  return view
}

function withStates(kind: KindSchema, resource: Resource, secrets: readonly StoredSecret[]): Fields {
  // A kind with secrets keeps them in `auth`, which is an object.
  const auth = resource.spec['auth'] as Fields
  const states = kind.secrets!(resource.spec).map((field): [string, SecretState] => [
    field,
    stateOf(resource, field, auth[field], secrets),
  ])
  return { ...auth, ...Object.fromEntries(states), ...kind.derived?.(resource.spec) }
}

function stateOf(
  resource: Resource,
  field: string,
  stored: unknown,
  secrets: readonly StoredSecret[],
): SecretState {
  if (isReference(stored)) {
    const source = 'env' in stored ? 'env' : 'file' in stored ? 'file' : 'vault'
    return { set: true, source, reference: referenceText(stored), updated_at: resource.updated_at }
  }
  const secret = secrets.find((one) => one.owner === resource.id && one.field === field)
  return {
    set: secret !== undefined,
    source: 'value',
    ...(secret?.last4 == null ? {} : { last4: secret.last4 }),
    updated_at: secret?.updated_at ?? resource.updated_at,
  }
}
