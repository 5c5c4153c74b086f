/**
 * What a principal may see and change. The reader of a handler contains only the resources that the principal may
 * name. A credential may not be sent to another place, and a resource may not be tagged or moved so that the grants of
 * the principal reach more.
 */
import type { Permission, Principal, Touched } from '../../access/principal.ts'
import { isWithin, partsOf, permits, permitsForSome, UNPLACED } from '../../access/roles.ts'
import { scopesFor } from '../../access/scopes.ts'
import { Refusal, refuse } from '../../base/refusal.ts'
import { PERMISSIONS } from '../../model/access/access.ts'
import { inWords, NOUNS, type ResourceType } from '../../model/resource-types.ts'
import {
  type AuditFilter,
  type ConfigReader,
  type ListQuery,
  type Part,
  typedReads,
} from '../../store/ports/config.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { RecordQueries } from './ports.ts'
import { aboveOf } from './refs.ts'
import { aboutCollection, entriesOf } from './shown-audit.ts'

/** What a caller needs for an operation. */
export interface Needs {
  readonly permission: Permission
  /** Who may do it to what is their own, without the permission; that is then needed for what is others'. */
  readonly own?: (principal: Principal) => boolean
  /** It is about what no scope could name, so that a grant within a scope does not do. */
  readonly unscoped?: true
  /** It does nothing but what is permitted resource by resource, so that grants narrowed to types may call it too. */
  readonly itemwise?: true
}

/** True when the principal may do this to anything at all. */
export function mayCall(principal: Principal, { permission, unscoped, itemwise, own }: Needs): boolean {
  if (own?.(principal) === true) return true
  if (itemwise === true) return permitsForSome(principal, permission)
  return permits(principal, permission, unscoped === true ? UNPLACED : undefined)
}

/** What a scope is judged by, of a resource that is stored or about to be. */
export type Placed = Pick<Resource, 'type' | 'id' | 'parent' | 'spec'>

/**
 * What is about to be made, as it is judged: below another resource by that alone, since tags of its own choice would
 * let it in anywhere.
 */
export function toMake({ type, id, parent, spec }: Placed): Placed {
  return { type, id, parent, spec: parent === null ? spec : {} }
}

/** The configuration as one principal may see it. */
export interface ScopedAccess {
  /**
   * What the principal may not even name is not there; lists hold what it may read. Slugs are answered for every id,
   * since those who see a resource see what it refers to, and so are secrets and tokens, which nobody asks for
   * without their owner.
   */
  readonly reader: ConfigReader
  /** True when the principal may do this to the resource. */
  allows(permission: Permission, resource: Placed): Promise<boolean>
  /** Refuses with permission_denied unless the principal may do this to the resource. */
  demand(permission: Permission, resource: Placed): Promise<void>
  /** As {@link demand}, for a resource that was asked for: with not_found when the principal may not even name it. */
  reach(permission: Permission, resource: Placed & Pick<Resource, 'slug'>): Promise<void>
  /**
   * Refuses with permission_denied when the principal could do more to the resource, or to what belongs to it, by the
   * tags that it is about to have: scopes go by tags.
   */
  refuseGain(before: Placed, after: Placed): Promise<void>
  /** The records that the principal may see. */
  records(all: RecordQueries): RecordQueries
}

/** The access of a principal over a reader. Costs nothing for grants that are not narrowed. */
export function accessOf(principal: Principal, whole: ConfigReader): ScopedAccess {
  const isNarrow = principal.grants.some(({ scope }) => scope !== undefined)
  const allows: ScopedAccess['allows'] = async (permission, resource) =>
    permits(principal, permission, isNarrow ? await touchedBy(resource, whole) : undefined)
  return {
    allows,
    reader: isNarrow ? narrowed(principal, whole) : whole,
    records: (all) => (isNarrow ? narrowedRecords(principal, whole, all) : all),
    async demand(permission, resource) {
      if (!(await allows(permission, resource))) throw denialTo(principal, permission)
    },
    async refuseGain(before, after) {
      if (!isNarrow) return
      const [was, is] = [await touchedBy(before, whole), await touchedBy(after, whole)]
      const gained = (PERMISSIONS as readonly Permission[]).find(
        (permission) => permits(principal, permission, is) && !permits(principal, permission, was),
      )
      if (gained === undefined) return
      throw refuse('permission_denied', {
        detail: `These tags would give you the permission ${gained} for it. Only a holder of that permission can set them.`,
        members: { permission: gained },
      })
    },
    async reach(permission, resource) {
      const touched = isNarrow ? await touchedBy(resource, whole) : undefined
      if (permits(principal, permission, touched)) return
      if (namingOf(resource.type).some((naming) => permits(principal, naming, touched)))
        throw denialTo(principal, permission)
      throw refuse('not_found', {
        detail: `There is no ${inWords(NOUNS[resource.type])} "${resource.slug}".`,
        sought: [{ type: resource.type, ref: resource.id }],
      })
    },
  }
}

/** Says what is missing: the permission, or its reach. */
function denialTo(principal: Principal, permission: Permission): Refusal {
  if (!permits(principal, permission)) return denial(permission)
  return refuse('permission_denied', {
    detail: `This needs the permission ${permission} outside of the scope of your grant.`,
    members: { permission },
  })
}

/** The refusal of what a permission is lacking for. */
export function denial(permission: Permission): Refusal {
  return refuse('permission_denied', {
    detail: `This needs the permission ${permission}.`,
    members: { permission },
  })
}

/** Permissions that let a resource be named: who works below a collection, or attaches a credential, must name it. */
const NAMING: Readonly<Partial<Record<ResourceType, readonly Permission[]>>> = {
  collections: ['collections:read', 'proxies:read', 'proxies:create'],
  clients: ['clients:read', 'profiles:read', 'profiles:create'],
  credentials: ['credentials:read', 'credentials:use'],
  users: ['users:read', 'users:use', 'grants:read', 'grants:create'],
  teams: ['teams:read', 'grants:read', 'grants:create'],
  service_identities: [
    'service_identities:read',
    'grants:read',
    'grants:create',
    'trust_rules:read',
    'trust_rules:create',
  ],
}

function namingOf(type: ResourceType): readonly Permission[] {
  return NAMING[type] ?? [`${type}:read`]
}

/** What a scope is judged by. */
export async function touchedBy(placed: Placed, whole: Pick<ConfigReader, 'byId'>): Promise<Touched> {
  const { type, id, parent, spec } = placed
  const above = await aboveOf(whole, placed)
  const isPlace = type === 'collections' || type === 'virtual_mcps' || type === 'teams'
  return {
    collection: isPlace ? id : type === 'proxies' ? parent : null,
    tags: [...tagsOf(spec), ...(above === undefined ? [] : tagsOf(above.spec))],
  }
}

function tagsOf(spec: Resource['spec']): readonly string[] {
  return (spec['tags'] ?? []) as readonly string[]
}

function narrowed(principal: Principal, whole: ConfigReader): ConfigReader {
  const sees = async (resource: Resource, reader: Pick<ConfigReader, 'byId'> = whole): Promise<boolean> => {
    const touched = await touchedBy(resource, reader)
    return namingOf(resource.type).some((naming) => permits(principal, naming, touched))
  }
  const seen = async <T extends Resource>(resources: readonly T[]): Promise<T[]> => {
    // Thousands may belong to one
    const above = new Map<string, Promise<Resource | undefined>>()
    const known = typedReads({
      byId(type, id) {
        const key = `${type} ${id}`
        const asked = above.get(key) ?? whole.byId(type, id)
        above.set(key, asked)
        return asked
      },
    })
    const found: T[] = []
    for (const resource of resources) if (await sees(resource, known)) found.push(resource)
    return found
  }
  const within = (type: ResourceType): Pick<ListQuery, 'within'> => {
    const parts = partsOf(principal, `${type}:read`)
    return parts === null ? {} : { within: parts }
  }
  const named = (type: ResourceType): readonly Part[] | undefined => {
    const parts = namingOf(type).map((naming) => partsOf(principal, naming))
    return parts.includes(null) ? undefined : parts.flatMap((some) => some ?? [])
  }
  return {
    ...whole,
    byId: async (type, id) => {
      const found = await whole.byId(type, id)
      return found !== undefined && (await sees(found)) ? found : undefined
    },
    bySlug: (type, slug, parent) => whole.bySlug(type, slug, parent, named(type)),
    byKey: async (type, key, parent) => seen(await whole.byKey(type, key, parent)),
    all: async (type, parent) => seen(await whole.all(type, parent)),
    usersOf: async (id) => seen(await whole.usersOf(id)),
    list: (query) => whole.list({ ...query, ...within(query.type) }),
    auditEntry: async (id) => {
      const entry = await whole.auditEntry(id)
      const collections = await collectionsOf(partsOf(principal, 'audit:read'), whole)
      if (entry === undefined || collections === null) return entry
      return isOf(collections, entry.resource.collection) ? aboutCollection(entry) : undefined
    },
    auditEntries: async (filter) =>
      entriesOf(await collectionsOf(partsOf(principal, 'audit:read'), whole), filter, whole),
  }
}

/** Ids of the collections of which a principal may both read and export; null for everything. */
export async function exportableOf(
  principal: Principal,
  of: 'records' | 'audit',
  whole: ConfigReader,
): Promise<readonly string[] | null> {
  const read = await collectionsOf(partsOf(principal, `${of}:read`), whole)
  const taken = await collectionsOf(partsOf(principal, `${of}:export`), whole)
  if (read === null || taken === null) return read ?? taken
  return taken.filter((id) => read.includes(id))
}

function narrowedRecords(principal: Principal, whole: ConfigReader, all: RecordQueries): RecordQueries {
  return {
    list: async (filter) =>
      all.list({ ...filter, ...(await ofCollections(principal, 'records:read', whole)) }),
    follow: async (filter, waitMs, by) =>
      all.follow({ ...filter, ...(await ofCollections(principal, 'records:read', whole)) }, waitMs, by),
    get: async (id) => {
      const record = await all.get(id)
      const collections = await collectionsOf(partsOf(principal, 'records:read'), whole)
      return isOf(collections, record?.collection) ? record : undefined
    },
    remove: async (selection, onlyCount) =>
      all.remove({ ...selection, ...(await ofCollections(principal, 'records:delete', whole)) }, onlyCount),
    metrics: async (question) =>
      all.metrics({
        ...question,
        selection: { ...question.selection, ...(await ofCollections(principal, 'metrics:read', whole)) },
      }),
    contract: async (question) =>
      all.contract({
        ...question,
        selection: { ...question.selection, ...(await ofCollections(principal, 'records:read', whole)) },
      }),
  }
}

async function ofCollections(
  principal: Principal,
  permission: Permission,
  whole: ConfigReader,
): Promise<Pick<AuditFilter, 'collections'>> {
  const collections = await collectionsOf(partsOf(principal, permission), whole)
  return collections === null ? {} : { collections }
}

function isOf(collections: readonly string[] | null, collection: string | null | undefined): boolean {
  return collections === null || (typeof collection === 'string' && collections.includes(collection))
}

/** Ids of the collections that lie in the parts, for what is told of collections: entries and records. Null for all. */
async function collectionsOf(
  parts: readonly Part[] | null,
  whole: ConfigReader,
): Promise<readonly string[] | null> {
  if (parts === null) return null
  const found = new Set<string>()
  for (const { collections, tags } of parts) {
    if (tags.length === 0) for (const id of collections) found.add(id)
    else
      for (const { id, spec } of await whole.all('collections'))
        if (isWithin({ collections, tags }, { collection: id, tags: tagsOf(spec) })) found.add(id)
  }
  return [...found]
}

/** A denial that another token of the same account would not meet says which scopes that takes. */
export function asStepUp<E>(error: E, { scopes, grants, unnarrowed }: Principal): E | Refusal {
  if (scopes === undefined || unnarrowed === undefined) return error
  if (!(error instanceof Refusal) || error.code !== 'permission_denied') return error
  // Denials name what is missing, in its form.
  const permission = error.facts.members?.['permission'] as Permission | undefined
  if (permission === undefined || permits({ grants }, permission)) return error
  if (!permits({ grants: unnarrowed }, permission)) return error
  const scope = scopesFor(permission, scopes)
  return refuse('insufficient_scope', {
    detail: `This needs the permission ${permission}. The account has it, but this token does not include it. Request a token with the scopes ${scope}.`,
    members: { permission, scope },
  })
}
