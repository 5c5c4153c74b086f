import type { Status } from '../../model/members.ts'
import type { ResourceType } from '../../model/resource-types.ts'
import type { SpecOf } from '../../model/specs.ts'

export type { Fields } from '../../model/specs.ts'

/** A resource of type `T` as it is stored. References inside `spec` and `draft` are ids; secrets are elsewhere. */
export type Resource<T extends ResourceType = ResourceType> = ResourceWith<T, SpecOf<T>>

/** {@link Resource} with a spec that is known. */
export interface ResourceWith<T extends ResourceType, Spec> {
  readonly type: T
  readonly id: string
  readonly slug: string
  /** The collection of a proxy, the client of a profile. */
  readonly parent: string | null
  readonly name: string
  readonly status: Status | null
  /** What must be looked up fast to find a clash: base path of a collection, shape of the path of a proxy. */
  readonly key: string | null
  readonly revision: number
  readonly spec: Spec
  /** The pending version of a published resource. */
  readonly draft: Spec | null
  readonly created_at: string
  readonly created_by: string
  readonly updated_at: string
  readonly updated_by: string
  readonly managed_by: string | null
}

/** For `filter` and `find`: tells resources of one type, whose spec is then known. */
export function isOfType<T extends ResourceType>(type: T): (one: Resource) => one is Resource<T> {
  return (one): one is Resource<T> => one.type === type
}

/**
 * Members of specs by which lists of resources can be asked (`where`, `holds` and `tags` of a list query). A store keeps their values
 * beside each resource, so that it finds them without reading specs. After a name was added here, stores must be filled anew: add a
 * migration whose data step fills `facets` from all specs.
 */
export const FACETS = [
  'active',
  'base_path',
  'collections',
  'credential',
  'email',
  'group',
  'groups',
  'issuer',
  'kind',
  'mapped_grants',
  'operation_id',
  'parent',
  'path',
  'policy',
  'role',
  'schemas',
  'status',
  'tags',
  'workflow',
] as const

/** The members of specs in which a list looks for a text. */
export const TEXT_FACETS = ['base_path', 'email', 'path'] as const satisfies readonly FacetName[]

export type FacetName = (typeof FACETS)[number]

/** The orders of a list by time. */
export const TIME_ORDERS = ['newest', 'oldest'] as const
export type TimeOrder = (typeof TIME_ORDERS)[number]

/** An order as keyset pagination needs it: the comparison with the last item of a page that finds the next page, and the direction. */
export function keysetOf(order: TimeOrder): {
  readonly beyond: '<' | '>'
  readonly direction: 'asc' | 'desc'
} {
  return order === 'newest' ? { beyond: '<', direction: 'desc' } : { beyond: '>', direction: 'asc' }
}
