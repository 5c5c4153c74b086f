/** The resource types that say what is served, in the words of the API. */
export const RESOURCE_TYPES = [
  'collections',
  'proxies',
  'workflows',
  'clients',
  'profiles',
  'policies',
  'credentials',
] as const
/** The resource types that say who may administer. */
export const ACCESS_TYPES = [
  'roles',
  'users',
  'teams',
  'service_identities',
  'grants',
  'trust_rules',
] as const
export type ResourceType = (typeof RESOURCE_TYPES)[number] | (typeof ACCESS_TYPES)[number]

/** One of each type, as messages and the audit call it. */
export const NOUNS: Readonly<Record<ResourceType, string>> = {
  collections: 'collection',
  proxies: 'proxy',
  workflows: 'workflow',
  clients: 'client',
  profiles: 'profile',
  policies: 'policy',
  credentials: 'credential',
  roles: 'role',
  users: 'user',
  teams: 'team',
  service_identities: 'service_identity',
  grants: 'grant',
  trust_rules: 'trust_rule',
}

/** True for the name of a type of resource. */
export function isResourceType(type: string): type is ResourceType {
  return Object.hasOwn(NOUNS, type)
}

/** A name of the API as people read it: `service_identity` is a service identity. */
export function inWords(name: string): string {
  return name.replaceAll('_', ' ')
}
