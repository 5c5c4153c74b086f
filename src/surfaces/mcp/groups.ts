/**
 * One or two sentences about each grouped tool, at most {@link GROUP_CHARS_MAX} characters. A model chooses the tool by
 * them, so they name every kind of resource that the tool has.
 */
export const GROUPS: Readonly<Record<string, string>> = {
  manage_collections:
    'Collections: published APIs, each with a base path and an upstream. Imports OpenAPI, Postman and HAR files.',
  manage_proxies: 'Proxies: the routes (endpoints) of a collection, with methods, path, contract and cache.',
  manage_workflows: 'Workflows: graphs of nodes that answer calls of a proxy. Tests them.',
  manage_policies: 'Policies: limits of rate, quota and concurrency.',
  manage_guardrails: 'Guardrails: content rules that block, change or count what calls contain.',
  manage_clients:
    'Clients: apps, partners and agents that call APIs, their collections, and access requests.',
  manage_profiles:
    'Profiles: how a client authenticates (token, JWT, mTLS) and what it may call. Rotates and revokes tokens.',
  manage_credentials:
    'Credentials: secrets that the gateway sends to upstreams. Tests, rotates and lists stale ones. With `profile`, `rotate` rotates a profile token.',
  manage_origins: 'Origins: MCP servers behind virtual MCPs, with credential and catalogue. Tests them.',
  manage_virtual_mcps:
    'Virtual MCPs: MCP endpoints /mcp/{slug} with tools, prompts and resources of origins. Shows what callers see. Approves changes.',
  manage_hosts:
    'Hosts: AI applications in which people sign in to MCP endpoints, agents with tokens (bindings), what a user may use, accounts at origins (connections).',
  manage_access: 'Users, teams, roles, grants, service identities, trust rules and personal tokens.',
  manage_config:
    'The configuration: revisions, rollback, plan, apply and export of documents, settings, change requests (approvals), your identity.',
  manage_keys: 'The keys that encrypt stored secrets.',
  query_audit: 'The audit log: who changed, read or was denied what, and when.',
  query_metrics: 'Metrics: errors and latency by status, endpoint, time, client or agent.',
  query_logs:
    'Request records: search, show, follow, replay or delete calls, or explain a request or refusal.',
  manage_exports: 'Exports of request records or the audit log to CSV or NDJSON.',
}

/** Longest sentence of a group. A longer one would leave too little of a description for the actions. */
export const GROUP_CHARS_MAX = 200
