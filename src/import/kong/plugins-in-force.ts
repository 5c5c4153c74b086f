import { isPlain, listedTexts, type Plain, scalarText } from '../../base/json/storable.ts'
import { Cors } from '../../model/api/collection.ts'
import { PolicySpec } from '../../model/api/policy.ts'
import { MAX_MAX } from '../../model/bounds.ts'
import { HTTP_METHODS } from '../../model/http-names.ts'
import { isText, listIn, nameOf, oddLists, PLUGIN_MEMBERS, refOf, unknownMembers } from './members.ts'

export type Level = 'global' | 'service' | 'route' | 'consumer'

/** A plugin that is in force somewhere. */
export interface PluginInForce {
  readonly plugin: Plain
  readonly name: string
  readonly level: Level
  /** Such as `service orders`. */
  readonly owner: string
  readonly effect: Effect
}

/** Plugins by name: of several, the most specific one is in force. */
export type PluginsByName = ReadonlyMap<string, PluginInForce>

const OWNERS = ['service', 'route', 'consumer', 'consumer_group'] as const

interface Owned {
  readonly plugin: Plain
  /** It holds for two owners together, such as a consumer at a service. */
  readonly isJoint: boolean
}

/** Finds the plugins of each owner, nested in it or at the top of the document, and what they mean. */
export class Plugins {
  readonly #byOwner = new Map<string, Owned[]>()
  readonly #unseen = new Map<string, string>()
  readonly #effects = new Map<Plain, Effect>()
  readonly #presets: Plain
  readonly #count: (parts: number) => void
  readonly global: PluginsByName

  /** @param count told how many parts are looked at; throws where they become too many */
  constructor(document: Plain, count: (parts: number) => void) {
    this.#count = count
    this.#presets = isPlain(document['_plugin_configs']) ? document['_plugin_configs'] : {}
    const global: Plain[] = []
    for (const plugin of listIn(document, 'plugins')) {
      const owners = OWNERS.filter((member) => plugin[member] != null)
      if (owners.length === 0) global.push(plugin)
      // The narrowest place closes it: a route before its service, that before a consumer
      const member = owners.find((one) => one === 'route') ?? owners[0]
      if (member === undefined) continue
      const key = `${member} ${refOf(plugin[member])}`
      const known = this.#byOwner.get(key) ?? []
      known.push({ plugin, isJoint: owners.length > 1 })
      this.#byOwner.set(key, known)
      this.#unseen.set(key, nameOf(plugin))
    }
    this.global = this.#inForce(
      global.map((plugin) => ({ plugin, isJoint: false })),
      'global',
      'all services',
      document,
    )
  }

  /** @param within what the owner stands in, so that a plugin that names it too is not joint */
  of(
    owner: Plain,
    member: Exclude<Level, 'global'> | 'consumer_group',
    within: readonly string[],
  ): PluginsByName {
    const keys = new Set(
      [owner['name'], owner['username'], owner['id']].filter((one) => typeof one === 'string'),
    )
    const top = [...keys].flatMap((key) => {
      this.#unseen.delete(`${member} ${key}`)
      return this.#byOwner.get(`${member} ${key}`) ?? []
    })
    const nested = listIn(owner, 'plugins').map((plugin) => ({
      plugin,
      isJoint: OWNERS.some((one) => one !== member && !within.includes(one) && plugin[one] != null),
    }))
    const level = member === 'consumer_group' ? 'consumer' : member
    return this.#inForce([...top, ...nested], level, `${member.replace('_', ' ')} ${nameOf(owner)}`, owner)
  }

  /** Sentences about plugins whose owner is not in the document. */
  unowned(): string[] {
    return [...this.#unseen].map(([owner, plugin]) => `plugin ${plugin} is left out: there is no ${owner}`)
  }

  #inForce(list: readonly Owned[], level: Level, owner: string, source: Plain): PluginsByName {
    this.#count(list.length)
    const inForce = new Map<string, PluginInForce>()
    // What they were to protect is not known. No plugin has this name, so that a narrower one overrides nothing
    if (oddLists(source, ['plugins']).length > 0) {
      const name = `plugins of ${owner}`
      const reason = `${name} are not a list of plugins`
      inForce.set(name, { plugin: source, name, level, owner, effect: { kind: 'closes', reason } })
    }
    for (const { plugin, isJoint } of list) {
      // What is switched off holds nowhere, and overrides nothing
      if (plugin['enabled'] === false) continue
      const name = nameOf(plugin)
      const known = inForce.get(name)
      const effect: Effect =
        isJoint || known !== undefined
          ? { kind: 'closes', reason: `plugin ${name} holds for a part of ${owner} alone` }
          : this.#effectOf(plugin)
      inForce.set(name, { plugin, name, level, owner, effect })
    }
    return inForce
  }

  #effectOf(plugin: Plain): Effect {
    const known = this.#effects.get(plugin) ?? effectOf(plugin, this.#presets)
    this.#effects.set(plugin, known)
    return known
  }
}

/** What is in force for the routes of a service, or for one of them. */
export function narrowed(...levels: readonly PluginsByName[]): PluginsByName {
  return new Map(levels.flatMap((level) => [...level]))
}

/** What a plugin means here. `closes`: what it protects cannot be expressed, so its owner is not published. */
export type Effect =
  | { readonly kind: 'observes' }
  /** Callers prove who they are; `credentials` is the member of consumers that holds what they prove it by, if any does. */
  | { readonly kind: 'auth'; readonly credentials: string | null }
  | { readonly kind: 'acl'; readonly allow: ReadonlySet<string>; readonly deny: ReadonlySet<string> }
  | { readonly kind: 'addresses'; readonly allow: readonly string[] }
  | { readonly kind: 'cors'; readonly cors: Plain }
  | { readonly kind: 'size'; readonly bytes: number }
  /** `key` is that of a limit; null counts each client. */
  | { readonly kind: 'limit'; readonly limits: readonly Plain[]; readonly key: string | null }
  | { readonly kind: 'closes'; readonly reason: string }
  /** Left out without a danger. */
  | { readonly kind: 'left out'; readonly reason: string }

/** Plugins by which callers prove themselves: profiles do that here. */
const AUTHENTICATION: Readonly<Record<string, string | null>> = {
  'key-auth': 'keyauth_credentials',
  'key-auth-enc': 'keyauth_enc_credentials',
  'basic-auth': 'basicauth_credentials',
  'hmac-auth': 'hmacauth_credentials',
  jwt: 'jwt_secrets',
  oauth2: 'oauth2_credentials',
  'mtls-auth': 'mtls_auth_credentials',
  'openid-connect': null,
  'oauth2-introspection': null,
  'ldap-auth': null,
  'ldap-auth-advanced': null,
  'header-cert-auth': null,
  'vault-auth': null,
  saml: null,
}

/** Plugins that decide about no request: they record, trace or keep copies of answers. */
const OBSERVES: ReadonlySet<string> = new Set([
  'prometheus',
  'statsd',
  'statsd-advanced',
  'datadog',
  'zipkin',
  'opentelemetry',
  'correlation-id',
  'file-log',
  'http-log',
  'tcp-log',
  'udp-log',
  'syslog',
  'loggly',
  'kafka-log',
  'proxy-cache',
  'proxy-cache-advanced',
  'acme',
])

/** Rates of the plugin rate-limiting by their member, and what they become. */
const WINDOWS: Readonly<Record<string, Plain>> = {
  second: { kind: 'rate', window: '1s' },
  minute: { kind: 'rate', window: '1m' },
  hour: { kind: 'rate', window: '1h' },
  day: { kind: 'quota', window: '1d' },
  month: { kind: 'quota', window: '30d' },
}

const RATE_LIMITING = new Set([
  ...Object.keys(WINDOWS),
  'year',
  'limit_by',
  'header_name',
  'path',
  'policy',
  'fault_tolerant',
  'hide_client_headers',
  'redis',
  'sync_rate',
  'error_code',
  'error_message',
])

/** Members of a configuration that are lists of texts, by the name of the plugin. */
const LISTS: Readonly<Record<string, readonly string[]>> = {
  acl: ['allow', 'deny', 'whitelist', 'blacklist'],
  'ip-restriction': ['allow', 'deny', 'whitelist', 'blacklist'],
}

/** The effect of an enabled plugin. `presets` are what its `_config` may name. */
function effectOf(plugin: Plain, presets: Plain): Effect {
  const name = scalarText(plugin['name']) ?? 'without a name'
  const closes = (reason: string): Effect => ({ kind: 'closes', reason: `plugin ${name} ${reason}` })
  const preset = plugin['_config'] == null ? {} : presets[String(scalarText(plugin['_config']))]
  if (!isPlain(preset)) return closes('names a configuration that is not in the file')
  const config = { ...preset, ...(isPlain(plugin['config']) ? plugin['config'] : {}) }
  if (OBSERVES.has(name)) return { kind: 'observes' }
  if (Object.hasOwn(AUTHENTICATION, name)) return { kind: 'auth', credentials: AUTHENTICATION[name]! }
  const unknown = unknownMembers(plugin, PLUGIN_MEMBERS)
  if (unknown.length > 0) return closes(`has ${unknown.join(', ')}, which is not carried over`)
  if (plugin['config'] != null && !isPlain(plugin['config'])) return closes('has a config that is no object')
  const odd = oddLists(config, LISTS[name] ?? [], isText)
  if (odd.length > 0) return closes(`has ${odd.join(', ')}, which is not a list of texts`)
  switch (name) {
    case 'acl':
      return aclOf(config, closes)
    case 'ip-restriction':
      return addressesOf(config, closes)
    case 'cors':
      return corsOf(config)
    case 'request-size-limiting':
      return sizeOf(config, closes)
    case 'rate-limiting':
      return limitOf(config, closes)
    default:
      return closes('has no counterpart')
  }
}

type Closes = (reason: string) => Effect

function aclOf(config: Plain, closes: Closes): Effect {
  const unknown = unknownMembers(
    config,
    new Set(['allow', 'deny', 'whitelist', 'blacklist', 'hide_groups_header']),
  )
  const wanted = unknown.filter((member) => config[member] !== false)
  if (wanted.length > 0) return closes(`has ${wanted.join(', ')}, which is not carried over`)
  const groups = (...names: string[]): Set<string> =>
    new Set(names.flatMap((name) => listedTexts(config[name])))
  const [allow, deny] = [groups('allow', 'whitelist'), groups('deny', 'blacklist')]
  if (allow.size === 0 && deny.size === 0) return closes('names no groups')
  return { kind: 'acl', allow, deny }
}

function addressesOf(config: Plain, closes: Closes): Effect {
  const unknown = unknownMembers(
    config,
    new Set(['allow', 'deny', 'whitelist', 'blacklist', 'status', 'message']),
  )
  if (unknown.length > 0) return closes(`has ${unknown.join(', ')}, which is not carried over`)
  const denied = [...listedTexts(config['deny']), ...listedTexts(config['blacklist'])]
  if (denied.length > 0) return closes('denies addresses, which is not carried over')
  return { kind: 'addresses', allow: [...listedTexts(config['allow']), ...listedTexts(config['whitelist'])] }
}

/** Anything that cannot be said exactly leaves CORS out: browsers then refuse pages from elsewhere. */
function corsOf(config: Plain): Effect {
  const leftOut = (reason: string): Effect => ({ kind: 'left out', reason: `CORS is left out: ${reason}` })
  const known = ['origins', 'methods', 'headers', 'exposed_headers', 'credentials', 'max_age']
  const unknown = unknownMembers(config, new Set(known)).filter((member) => config[member] !== false)
  const extra = unknown.filter((member) => member !== 'allow_origin_absent')
  if (extra.length > 0) return leftOut(`${extra.join(', ')} is not carried over`)
  const origins = config['origins'] == null ? ['*'] : listedTexts(config['origins'])
  const methods = config['methods'] == null ? [] : listedTexts(config['methods'])
  const own = methods.filter((method) => HTTP_METHODS.some((one) => one === method))
  if (config['methods'] != null && own.length === 0) return leftOut('it allows no method that exists here')
  const listed = (member: string): Plain =>
    config[member] == null ? {} : { headers: listedTexts(config[member]) }
  const seconds = config['max_age']
  const cors = {
    origins,
    methods: own,
    ...listed('headers'),
    expose: listedTexts(config['exposed_headers']),
    ...(config['credentials'] === true ? { credentials: true } : {}),
    // Without it browsers keep the answer for five seconds
    max_age: typeof seconds === 'number' && seconds >= 1 ? `${Math.floor(seconds)}s` : '5s',
  }
  const { error } = Cors.safeParse(cors)
  if (error === undefined) return { kind: 'cors', cors }
  const [issue] = error.issues
  return leftOut(`${issue!.path.join('.')}: ${issue!.message}`)
}

const SIZE_UNITS: Readonly<Record<string, number>> = { bytes: 1, kilobytes: 1024, megabytes: 1024 ** 2 }

function sizeOf(config: Plain, closes: Closes): Effect {
  const known = new Set(['allowed_payload_size', 'size_unit', 'require_content_length'])
  const unknown = unknownMembers(config, known)
  if (unknown.length > 0) return closes(`has ${unknown.join(', ')}, which is not carried over`)
  if (config['require_content_length'] === true) return closes('requires Content-Length')
  const size = config['allowed_payload_size'] ?? 128
  const unit = SIZE_UNITS[String(scalarText(config['size_unit'] ?? 'megabytes'))]
  const bytes = typeof size === 'number' && unit !== undefined ? Math.floor(size * unit) : -1
  if (!(bytes >= 0 && bytes <= 4 * 1024 ** 3)) return closes('has a size that is not possible here')
  return { kind: 'size', bytes }
}

function limitOf(config: Plain, closes: Closes): Effect {
  const unknown = unknownMembers(config, RATE_LIMITING).filter((member) => !member.startsWith('redis_'))
  if (unknown.length > 0) return closes(`has ${unknown.join(', ')}, which is not carried over`)
  if (config['year'] != null) return closes('has a limit for a year')
  const limits: Plain[] = []
  for (const [name, limit] of Object.entries(WINDOWS)) {
    const max = config[name]
    if (max == null) continue
    if (typeof max !== 'number' || !(max >= 1 && max <= MAX_MAX))
      return closes(`has a limit for a ${name} that is not possible here`)
    limits.push({ name, max: Math.floor(max), ...limit })
  }
  if (limits.length === 0) return closes('has no limit')
  const by = scalarText(config['limit_by'] ?? 'consumer')
  const header = scalarText(config['header_name'])
  const keys: Readonly<Record<string, string | null>> = {
    consumer: null,
    ip: 'ip',
    service: 'global',
    ...(header === undefined ? {} : { header: `header:${header}` }),
  }
  if (by === undefined || !Object.hasOwn(keys, by)) return closes(`counts by ${by}`)
  const key = keys[by]!
  const keyed = key === null ? limits : limits.map((limit) => ({ ...limit, key }))
  if (!PolicySpec.safeParse({ name: 'x', limits: keyed }).success) return closes(`counts by ${by}`)
  return { kind: 'limit', limits: keyed, key }
}
