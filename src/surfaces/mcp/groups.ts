/**
 * One or two sentences about each grouped tool, at most {@link GROUP_CHARS_MAX} characters. A model chooses the tool by
 * them, so they name every kind of resource that the tool has.
 */
export const GROUPS: Readonly<Record<string, string>> = {
  manage_collections:
    'Collections: published APIs, each with a base path and an upstream. Imports OpenAPI documents, Postman collections and HAR files.',
  manage_proxies: 'Proxies: the routes (endpoints) of a collection, with methods, path, contract and cache.',
  manage_workflows: 'Workflows: steps that run in a proxy before and after the upstream.',
  manage_policies: 'Policies: rate limits, quotas and concurrency limits.',
  manage_clients:
    'Clients: the applications, partners and agents that call APIs, their collections, and access requests.',
  manage_profiles:
    'Profiles: how a client authenticates (token, JWT, mTLS and others) and what it may call. Rotates and revokes profile tokens.',
  manage_credentials:
    'Credentials: secrets that the gateway sends to upstreams. Tests and rotates them, and lists stale ones. `rotate` rotates a profile token only when `profile` is given.',
  manage_origins:
    'Origins: the MCP servers behind virtual MCPs, with URL, credential and catalogue. Tests them and reads their catalogues again.',
  manage_virtual_mcps:
    'Virtual MCPs: published MCP endpoints /mcp/{slug} with the tools, prompts and resources of origins. Shows what callers see, what the lists cost, and approves what origins changed.',
  manage_hosts:
    'Hosts: AI applications in which people sign in to MCP endpoints, and agents. Bindings give an agent tokens for one virtual MCP.',
  manage_access:
    'Administrators: users, teams, roles, grants, service identities, trust rules and personal tokens.',
  manage_config:
    'The configuration as a whole: revisions and rollback, plan and apply of documents, export, settings, change requests (approvals), and the identity of the caller.',
  manage_keys: 'The keys that encrypt stored secrets.',
  query_audit: 'The audit log: who changed, deleted, read or was denied what, and when.',
  query_metrics: 'Metrics of the traffic: totals, errors and latency, by status, method, endpoint or time.',
  query_logs:
    'Request records: search and show calls, explain why a request is refused or where it goes, replay a call, delete records.',
  manage_exports: 'Exports of request records or of the audit log to CSV or NDJSON files.',
}

/** Longest sentence of a group. A longer one would leave too little of a description for the actions. */
export const GROUP_CHARS_MAX = 200
