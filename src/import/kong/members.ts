import { isPlain, type Plain } from '../../base/json/storable.ts'
import { Slug } from '../../model/members.ts'
import { CREDENTIALS, ENTITIES } from './counterparts.ts'

/** Members that are carried over, or that say nothing about calls, by what has them. */
const NOTHING = ['id', 'created_at', 'updated_at', 'tags', '_comment']

/** Parts of consumers, which decK also writes at the top of the document with the name of their consumer. */
export const OF_CONSUMERS = ['acls', ...CREDENTIALS] as const

export const DOCUMENT_MEMBERS = new Set<string>([
  '_format_version',
  '_transform',
  '_info',
  '_comment',
  '_ignore',
  '_workspace',
  '_plugin_configs',
  ...Object.keys(ENTITIES).filter((name) => ENTITIES[name]!.is === 'read'),
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

export const GROUP_MEMBERS = new Set([...NOTHING, 'name', 'consumers', 'plugins'])

export const KEY_MEMBERS = new Set([...NOTHING, 'key', 'consumer', 'ttl'])

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

/** Objects of a list; none where there is no list. */
export function listIn(owner: Plain, member: string): Plain[] {
  const list = owner[member]
  return Array.isArray(list) ? list.filter(isPlain) : []
}

/** Names of members that have a value and are no list whose items are all of the kind; nothing is known of what they were to say. */
export function oddLists(
  owner: Plain,
  members: readonly string[],
  isItem: (item: unknown) => boolean = isPlain,
): string[] {
  return members.filter((member) => {
    const value = owner[member]
    return value != null && !(Array.isArray(value) && value.every(isItem))
  })
}

export const isText = (value: unknown): boolean => typeof value === 'string'

/** What a part is called in notes, and in the documents that it becomes. */
export function nameOf(one: Plain): string {
  const { name, username, custom_id: id } = one
  const text = [name, username, id].find(
    (value): value is string => typeof value === 'string' && value !== '',
  )
  return (text ?? 'unnamed').slice(0, 100)
}

/** The name or id by which one part refers to another. */
export function refOf(value: unknown): string | null {
  if (typeof value === 'string') return value
  if (!isPlain(value)) return null
  const found = [value['name'], value['username'], value['id']].find((one) => typeof one === 'string')
  return (found as string | undefined) ?? null
}

/** Tags in the form that they have here; others say nothing about calls. */
export function tagsOf(source: Plain): readonly string[] {
  const { tags } = source
  const own = Array.isArray(tags) ? tags.filter((tag) => Slug.safeParse(tag).success) : []
  return [...new Set(own as string[])].slice(0, 20)
}
