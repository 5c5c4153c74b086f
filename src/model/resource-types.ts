/**
 * The types of resources, in the words of the API, with the noun for one of each as messages and the audit call it. The table that a
 * type stands in decides about it: see {@link RESOURCE_TYPES} and {@link ACCESS_TYPES}.
 */
const SERVED_NOUNS = {
  collections: 'collection',
  proxies: 'proxy',
  workflows: 'workflow',
  clients: 'client',
  profiles: 'profile',
  policies: 'policy',
  credentials: 'credential',
  origins: 'origin',
  virtual_mcps: 'virtual_mcp',
  guardrails: 'guardrail',
} as const
const ACCESS_NOUNS = {
  roles: 'role',
  users: 'user',
  teams: 'team',
  service_identities: 'service_identity',
  grants: 'grant',
  trust_rules: 'trust_rule',
  hosts: 'host',
  bindings: 'binding',
} as const

/** Types of what is served. Viewers read them, modifiers write them, and a rollback restores them. */
export const RESOURCE_TYPES = Object.keys(SERVED_NOUNS) as readonly (keyof typeof SERVED_NOUNS)[]
/** Types that say who may administer. Administrators alone read and write them, and no rollback changes them. */
export const ACCESS_TYPES = Object.keys(ACCESS_NOUNS) as readonly (keyof typeof ACCESS_NOUNS)[]

export type ResourceType = keyof typeof SERVED_NOUNS | keyof typeof ACCESS_NOUNS

export const NOUNS: Readonly<Record<ResourceType, string>> = { ...SERVED_NOUNS, ...ACCESS_NOUNS }

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
