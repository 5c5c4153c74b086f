/** What each resource is for, in a sentence. */
const ABOUT: Readonly<Record<string, string>> = {
  collections: 'A collection is an API product: a base path, an upstream, and the proxies below it.',
  proxies: 'A proxy is one route of a collection: methods, a path, and the checks of a request.',
  workflows: 'A workflow answers a proxy from several steps instead of one upstream.',
  policies: 'A policy limits requests: rates, quotas and concurrency.',
  credentials: 'A credential authenticates the gateway at an upstream. Callers never see it.',
  clients:
    'A client is an app, a partner or an agent that calls APIs. Its profiles say how it authenticates.',
  profiles: 'A profile is one way in which a client authenticates, with bounds of its own.',
  access_requests: 'A consumer asks here for access to a collection.',
  change_requests: 'A change that another person must approve waits here.',
  origins: 'An origin is an upstream MCP server, or a collection offered over MCP.',
  virtual_mcps: 'A virtual MCP is one MCP endpoint with chosen tools of one or more origins.',
  guardrails: 'A guardrail finds personal data, secrets and injected instructions in requests and responses.',
  hosts: 'A host is an application that connects to MCP endpoints for people or agents.',
  bindings:
    'A binding lets a host call one virtual MCP: for itself with a token, or for people whom it names.',
  connections:
    'A connection is the account of a person at an origin. The list shows your own, and with the filter all_users those of everybody.',
  exports: 'An export writes request records or audit entries to a file.',
  revisions:
    'Each change of the configuration makes a revision. You can compare revisions and return to one.',
  users: 'People who sign in to administer the gateway or to use MCP endpoints.',
  teams: 'A team groups people. Grants and virtual MCPs can be shared with a team.',
  roles: 'A role is a named set of permissions.',
  grants: 'A grant gives a person, a team or a service identity a role, for all resources or for some.',
  service_identities:
    'Machines are service identities: programs that call the management API, such as a pipeline.',
  trust_rules: 'A trust rule accepts tokens of another issuer, such as a CI system, for a service identity.',
  personal_tokens: 'A personal token lets your own tools call the management API as you.',
  keys: 'Keys that seal stored secrets and sign tokens.',
  records: 'Each call through the gateway is one record.',
  mcp_endpoints: 'The MCP endpoints that you may connect an application to.',
  audit: 'Each change and each denied attempt is one entry.',
}

export function aboutOf(resource: string): string {
  return ABOUT[resource] ?? ''
}
