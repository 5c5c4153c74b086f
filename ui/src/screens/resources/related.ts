/** Lists that show what belongs to a resource, each with the filter that takes its slug. */
export const RELATED: Readonly<
  Record<string, readonly { readonly list: string; readonly filter: string }[]>
> = {
  collections: [
    { list: 'proxies', filter: 'collection' },
    { list: 'clients', filter: 'collections' },
    { list: 'records', filter: 'collection' },
  ],
  proxies: [{ list: 'records', filter: 'proxy' }],
  policies: [
    { list: 'clients', filter: 'policy' },
    { list: 'proxies', filter: 'policy' },
  ],
  clients: [
    { list: 'profiles', filter: 'client' },
    { list: 'records', filter: 'client' },
  ],
  origins: [{ list: 'records', filter: 'origin' }],
  virtual_mcps: [{ list: 'records', filter: 'virtual_mcp' }],
  hosts: [{ list: 'bindings', filter: 'host' }],
  users: [
    { list: 'grants', filter: 'user' },
    { list: 'personal_tokens', filter: 'user' },
  ],
  teams: [{ list: 'grants', filter: 'team' }],
  roles: [{ list: 'grants', filter: 'role' }],
  service_identities: [
    { list: 'grants', filter: 'service_identity' },
    { list: 'trust_rules', filter: 'service_identity' },
  ],
}
