import type { Plain } from '../../base/json/plain.ts'

/** Members that are carried over, or that say nothing about calls, by what has them. */
const NOTHING = ['id', 'created_at', 'updated_at', 'tags', '_comment']

/** Parts of consumers, which decK also writes at the top of the document with the name of their consumer. */
export const OF_CONSUMERS = [
  'acls',
  'keyauth_credentials',
  'keyauth_enc_credentials',
  'basicauth_credentials',
  'hmacauth_credentials',
  'jwt_secrets',
  'oauth2_credentials',
  'mtls_auth_credentials',
] as const

export const DOCUMENT_MEMBERS = new Set<string>([
  '_format_version',
  '_transform',
  '_info',
  '_comment',
  '_ignore',
  '_workspace',
  '_plugin_configs',
  'services',
  'routes',
  'upstreams',
  'plugins',
  'consumers',
  'consumer_groups',
  ...OF_CONSUMERS,
])

export const SERVICE_MEMBERS = new Set([
  ...NOTHING,
  'name',
  'url',
  'protocol',
  'host',
  'port',
  'path',
  'enabled',
  'retries',
  'connect_timeout',
  'read_timeout',
  'write_timeout',
  'tls_verify',
  'tls_verify_depth',
  'routes',
  'plugins',
])

export const ROUTE_MEMBERS = new Set([
  ...NOTHING,
  'name',
  'service',
  'protocols',
  'methods',
  'hosts',
  'paths',
  'strip_path',
  'preserve_host',
  'path_handling',
  'regex_priority',
  'request_buffering',
  'response_buffering',
  'https_redirect_status_code',
  'plugins',
])

export const POOL_MEMBERS = new Set([
  ...NOTHING,
  'name',
  'targets',
  'slots',
  'algorithm',
  'hash_on',
  'hash_on_header',
  'hash_fallback',
  'hash_on_cookie_path',
  'healthchecks',
  'use_srv_name',
])

export const TARGET_MEMBERS = new Set([...NOTHING, 'target', 'weight', 'upstream'])

export const CONSUMER_MEMBERS = new Set<string>([
  ...NOTHING,
  ...OF_CONSUMERS,
  'username',
  'custom_id',
  'groups',
  'plugins',
])

export const PLUGIN_MEMBERS = new Set([
  ...NOTHING,
  'name',
  'instance_name',
  'enabled',
  'config',
  '_config',
  'protocols',
  'run_on',
  'service',
  'route',
  'consumer',
  'consumer_group',
])

/** Members of an unknown name that are named at most. */
const NAMED_MAX = 10

/** Names of members that have a value and are not known. An empty list or object counts as no value. */
export function unknownMembers(owner: Plain, known: ReadonlySet<string>): string[] {
  return Object.entries(owner)
    .filter(([name, value]) => !known.has(name) && !isEmpty(value))
    .slice(0, NAMED_MAX)
    .map(([name]) => name.slice(0, 64))
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined) return true
  return typeof value === 'object' && Object.keys(value).length === 0
}
