/**
 * The types of resources, in the words of the API. The table that a type stands in decides about it: see {@link RESOURCE_TYPES} and
 * {@link ACCESS_TYPES}. Its row has the noun for one of it, as messages and the audit call it, and for what belongs to something else the
 * types of that: a spec names what it belongs to in the member with the noun of that type.
 */
const SERVED = {
  collections: { noun: 'collection' },
  proxies: { noun: 'proxy', parents: ['collections'] },
  workflows: { noun: 'workflow' },
  clients: { noun: 'client' },
  profiles: { noun: 'profile', parents: ['clients'] },
  policies: { noun: 'policy' },
  credentials: { noun: 'credential' },
  origins: { noun: 'origin' },
  virtual_mcps: { noun: 'virtual_mcp' },
  guardrails: { noun: 'guardrail' },
} as const
const ACCESS = {
  roles: { noun: 'role' },
  users: { noun: 'user' },
  teams: { noun: 'team' },
  service_identities: { noun: 'service_identity' },
  grants: { noun: 'grant', parents: ['service_identities', 'users', 'teams'] },
  trust_rules: { noun: 'trust_rule', parents: ['service_identities'] },
  hosts: { noun: 'host' },
  bindings: { noun: 'binding', parents: ['hosts'] },
  sinks: { noun: 'sink' },
} as const

/** Types of what is served. Viewers read them, modifiers write them, and a rollback restores them. */
export const RESOURCE_TYPES = Object.keys(SERVED) as readonly (keyof typeof SERVED)[]
/** Types that say who may administer. Administrators alone read and write them, and no rollback changes them. */
export const ACCESS_TYPES = Object.keys(ACCESS) as readonly (keyof typeof ACCESS)[]

export type ResourceType = keyof typeof SERVED | keyof typeof ACCESS

interface TypeRow {
  readonly noun: string
  readonly parents?: readonly ResourceType[]
}
const ROWS: Readonly<Record<ResourceType, TypeRow>> = { ...SERVED, ...ACCESS }
const ALL_TYPES = Object.keys(ROWS) as readonly ResourceType[]
const tableOf = <V>(cellOf: (row: TypeRow) => V) =>
  // Its keys are those of the table that it is made of
  Object.fromEntries(ALL_TYPES.map((type) => [type, cellOf(ROWS[type])])) as Readonly<Record<ResourceType, V>>

export const NOUNS = tableOf(({ noun }) => noun)
/** The types to one of which a resource of a type belongs; none for most. */
export const PARENTS = tableOf(({ parents = [] }) => parents)

/** The types whose resources may belong to one of a type. */
export function typesBelow(type: ResourceType): readonly ResourceType[] {
  return ALL_TYPES.filter((one) => PARENTS[one].includes(type))
}

/** True for the name of a type of resource. */
export function isResourceType(type: string): type is ResourceType {
  return Object.hasOwn(NOUNS, type)
}

/** A name of the API as people read it: `service_identity` is "service identity", `virtual_mcps` is "virtual MCPs". */
export function inWords(name: string): string {
  return name.replaceAll('_', ' ').replace(/\bmcp(?=s?\b)/, 'MCP')
}

/** {@link inWords} after "a" or "an". */
export function withArticle(name: string): string {
  return `${/^[aeiou]/.test(name) && !name.startsWith('user') ? 'an' : 'a'} ${inWords(name)}`
}

/** The surfaces of request records. A record keeps the number of its own in this list, so that the order never changes. */
export const RECORD_SURFACES = ['gateway', 'gateway_mcp', 'virtual_mcp'] as const
