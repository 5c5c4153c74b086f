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
