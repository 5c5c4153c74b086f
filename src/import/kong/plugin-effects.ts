/** What an enabled plugin means here, by its own configuration alone. */
import { isPlain, listedTexts, type Plain, scalarText } from '../../base/json/storable.ts'
import { Cors, KeyPlaces } from '../../model/api/collection.ts'
import { PolicySpec } from '../../model/api/policy.ts'
import { MAX_MAX } from '../../model/bounds.ts'
import { HTTP_METHODS } from '../../model/http-names.ts'
import { type CredentialMember, pluginCalled } from './counterparts.ts'
import { isText, oddLists, PLUGIN_MEMBERS, unknownMembers } from './members.ts'

/** Where callers send their key. */
export interface Places {
  readonly headers: readonly string[]
  readonly query: readonly string[]
}

/** What a plugin means here. `closes`: what it protects cannot be expressed, so its owner is not published. */
export type Effect =
  | { readonly kind: 'observes' }
  | {
      /** Callers prove who they are. */
      readonly kind: 'auth'
      /** The member of consumers that holds what they prove it by, if any does. */
      readonly credentials: CredentialMember | null
      readonly places: Places
      /** Callers without credentials pass as a consumer, or another plugin proves them. */
      readonly isOptional: boolean
    }
  | { readonly kind: 'acl'; readonly allow: ReadonlySet<string>; readonly deny: ReadonlySet<string> }
  | { readonly kind: 'addresses'; readonly allow: readonly string[] }
  | { readonly kind: 'cors'; readonly cors: Plain }
  | { readonly kind: 'size'; readonly bytes: number }
  /** `key` is that of a limit; null counts each client. */
  | { readonly kind: 'limit'; readonly limits: readonly Plain[]; readonly key: string | null }
  | { readonly kind: 'closes'; readonly reason: string }
  /** Left out without a danger. */
  | { readonly kind: 'left out'; readonly reason: string }

/** @see PluginInForce */
export interface Judged {
  readonly effect: Effect
  readonly ignored: readonly string[]
}

/** Rates of the plugin rate-limiting by their member, and what they become. */
const WINDOWS: Readonly<Record<string, Plain>> = {
  second: { kind: 'rate', window: '1s' },
  minute: { kind: 'rate', window: '1m' },
  hour: { kind: 'rate', window: '1h' },
  day: { kind: 'quota', window: '1d' },
  month: { kind: 'quota', window: '30d' },
}

/** Options of a plugin. Any other one closes what the plugin protects. */
interface Options {
  /** They have a counterpart, or close it by their value. */
  readonly read: readonly string[]
  /** They decide about no call; the report names those with another value than this default of Kong. */
  readonly ignored: Readonly<Record<string, unknown>>
  /** Those that are lists of texts: what they were to say is not known where they are not. */
  readonly lists?: readonly string[]
}

const NETWORKS = ['allow', 'deny', 'whitelist', 'blacklist']
const REDIS = { redis: null, policy: null, sync_rate: null }

const OPTIONS: Readonly<Record<string, Options>> = {
  acl: {
    read: [...NETWORKS, 'always_use_authenticated_groups', 'include_consumer_groups'],
    ignored: { hide_groups_header: false },
    lists: NETWORKS,
  },
  'ip-restriction': {
    read: NETWORKS,
    ignored: { status: 403, message: null },
    lists: NETWORKS,
  },
  'request-size-limiting': {
    read: ['allowed_payload_size', 'size_unit', 'require_content_length'],
    ignored: {},
  },
  'rate-limiting': {
    read: [...Object.keys(WINDOWS), 'year', 'limit_by', 'header_name', 'path'],
    ignored: {
      ...REDIS,
      fault_tolerant: true,
      hide_client_headers: false,
      error_code: 429,
      error_message: 'API rate limit exceeded',
    },
  },
  'rate-limiting-advanced': {
    read: [
      'limit',
      'window_size',
      'identifier',
      'header_name',
      'path',
      'enforce_consumer_groups',
      'consumer_groups',
      'compound_identifier',
      'throttling',
    ],
    ignored: {
      ...REDIS,
      strategy: null,
      namespace: null,
      dictionary_name: null,
      lock_dictionary_name: null,
      window_type: 'sliding',
      hide_client_headers: false,
      retry_after_jitter_max: 0,
      disable_penalty: false,
      error_code: 429,
      error_message: 'API rate limit exceeded',
    },
  },
}

/** Options whose value says where Kong counts, which is no matter here. */
const SAYS_NOTHING: ReadonlySet<string> = new Set([
  ...Object.keys(REDIS),
  'strategy',
  'namespace',
  'dictionary_name',
  'lock_dictionary_name',
])

type Closes = (reason: string) => Effect

/** A name of the file is none of an object's own prototype. */
function presetOf(presets: Plain, name: string): unknown {
  return Object.hasOwn(presets, name) ? presets[name] : undefined
}

/** The effect of an enabled plugin. @param presets what its `_config` may name */
export function judge(plugin: Plain, presets: Plain): Judged {
  const name = scalarText(plugin['name']) ?? 'without a name'
  const closes = (reason: string): Effect => ({ kind: 'closes', reason: `plugin ${name} ${reason}` })
  const closed = (reason: string): Judged => ({ effect: closes(reason), ignored: [] })
  const preset = plugin['_config'] == null ? {} : presetOf(presets, String(scalarText(plugin['_config'])))
  if (!isPlain(preset)) return closed('names a configuration that is not in the file')
  const config = { ...preset, ...(isPlain(plugin['config']) ? plugin['config'] : {}) }
  const known = pluginCalled(name)
  if (known?.is === 'observes') return { effect: { kind: 'observes' }, ignored: [] }
  if (known?.is === 'auth') return authOf(name, known.credentials ?? null, config)
  const unknown = unknownMembers(plugin, PLUGIN_MEMBERS)
  if (unknown.length > 0) return closed(`has ${unknown.join(', ')}, which is not carried over`)
  if (plugin['config'] != null && !isPlain(plugin['config'])) return closed('has a config that is no object')
  if (name === 'cors') return corsOf(config)
  const options = Object.hasOwn(OPTIONS, name) ? OPTIONS[name]! : null
  if (options === null) return closed('has no counterpart')
  const odd = oddLists(config, options.lists ?? [], isText)
  if (odd.length > 0) return closed(`has ${odd.join(', ')}, which is not a list of texts`)
  const others = unknownMembers(config, new Set([...options.read, ...Object.keys(options.ignored)])).filter(
    (member) => !(member.startsWith('redis_') && 'redis' in options.ignored),
  )
  if (others.length > 0) return closed(`has ${others.join(', ')}, which is not carried over`)
  return { effect: effectOf(name, config, closes), ignored: ignoredOf(config, options.ignored) }
}

function effectOf(name: string, config: Plain, closes: Closes): Effect {
  switch (name) {
    case 'acl':
      return aclOf(config, closes)
    case 'ip-restriction':
      return addressesOf(config, closes)
    case 'request-size-limiting':
      return sizeOf(config, closes)
    case 'rate-limiting':
      return limitOf(config, closes)
    default:
      return advancedOf(config, closes)
  }
}

/** Options with another value than their default. */
function ignoredOf(config: Plain, defaults: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(defaults).flatMap(([name, usual]) => {
    const value = config[name]
    return value == null || value === usual || SAYS_NOTHING.has(name) ? [] : [name]
  })
}

/** Names that Kong reads keys by where nothing else is said. */
const KEY_NAMES = ['apikey']

/** Options of the plugin key-auth that say something only with another value than this one. */
const KEY_DEFAULTS: Plain = {
  key_names: null,
  key_in_header: null,
  key_in_query: null,
  key_in_body: false,
  hide_credentials: null,
  run_on_preflight: true,
  realm: null,
}

/** Of plugins besides key-auth no option says anything here, since their credentials do not work. */
function authOf(name: string, credentials: CredentialMember | null, config: Plain): Judged {
  const { anonymous } = config
  const isOptional = anonymous != null && anonymous !== ''
  const base = { kind: 'auth', credentials, isOptional } as const
  const none: Places = { headers: [], query: [] }
  if (name !== 'key-auth') return { effect: { ...base, places: none }, ignored: [] }
  const ignored = Object.entries(config).flatMap(([member, value]) => {
    if (value == null || value === '' || member === 'anonymous') return []
    if (!Object.hasOwn(KEY_DEFAULTS, member)) return [member.slice(0, 64)]
    const usual = KEY_DEFAULTS[member]
    return usual === null || value === usual ? [] : [member]
  })
  if (oddLists(config, ['key_names'], isText).length > 0)
    return { effect: { ...base, places: none }, ignored: [...ignored, 'key_names'] }
  const names = config['key_names'] == null ? KEY_NAMES : listedTexts(config['key_names'])
  const { headers, query } = KeyPlaces.shape
  const placesFor = (option: string, schema: typeof headers | typeof query): string[] => {
    if (config[option] === false) return []
    const fit = names.filter((one) => schema.safeParse([one]).success).slice(0, PLACES_MAX)
    for (const one of names) if (!fit.includes(one)) ignored.push(`key_names ${one.slice(0, 64)} (${option})`)
    return fit
  }
  const places = {
    headers: placesFor('key_in_header', headers),
    query: placesFor('key_in_query', query),
  }
  return { effect: { ...base, places }, ignored }
}

/** Places of one kind in a collection. */
export const PLACES_MAX = 5

function aclOf(config: Plain, closes: Closes): Effect {
  for (const member of ['always_use_authenticated_groups', 'include_consumer_groups'])
    if (config[member] != null && config[member] !== false)
      return closes(`has ${member}, which is not carried over`)
  const groups = (...names: string[]): Set<string> =>
    new Set(names.flatMap((name) => listedTexts(config[name])))
  const [allow, deny] = [groups('allow', 'whitelist'), groups('deny', 'blacklist')]
  if (allow.size === 0 && deny.size === 0) return closes('names no groups')
  return { kind: 'acl', allow, deny }
}

function addressesOf(config: Plain, closes: Closes): Effect {
  const denied = [...listedTexts(config['deny']), ...listedTexts(config['blacklist'])]
  if (denied.length > 0) return closes('denies addresses, which is not carried over')
  return { kind: 'addresses', allow: [...listedTexts(config['allow']), ...listedTexts(config['whitelist'])] }
}

/** Options of CORS that change no answer here, with the value that is usual. */
const CORS_IGNORED = { allow_origin_absent: true }

/** Anything that cannot be said exactly leaves CORS out: browsers then refuse pages from elsewhere. */
function corsOf(config: Plain): Judged {
  const ignored = ignoredOf(config, CORS_IGNORED)
  const leftOut = (reason: string): Judged => ({
    effect: { kind: 'left out', reason: `CORS is left out: ${reason}` },
    ignored: [],
  })
  const known = ['origins', 'methods', 'headers', 'exposed_headers', 'credentials', 'max_age']
  const unknown = unknownMembers(config, new Set(known)).filter((member) => config[member] !== false)
  const extra = unknown.filter((member) => !Object.hasOwn(CORS_IGNORED, member))
  if (extra.length > 0) return leftOut(`${extra.join(', ')} is not carried over`)
  const origins = config['origins'] == null ? ['*'] : listedTexts(config['origins'])
  const methods = config['methods'] == null ? [] : listedTexts(config['methods'])
  const own = methods.filter((method) => HTTP_METHODS.some((one) => one === method))
  if (config['methods'] != null && own.length === 0) return leftOut('it allows no method that exists here')
  const foreign = methods.filter((method) => !own.includes(method))
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
  if (error === undefined)
    return {
      effect: { kind: 'cors', cors },
      ignored: [...ignored, ...foreign.map((method) => `methods ${method.slice(0, 32)}`)],
    }
  const [issue] = error.issues
  return leftOut(`${issue!.path.join('.')}: ${issue!.message}`)
}

const SIZE_UNITS: ReadonlyMap<string, number> = new Map([
  ['bytes', 1],
  ['kilobytes', 1024],
  ['megabytes', 1024 ** 2],
])

function sizeOf(config: Plain, closes: Closes): Effect {
  if (config['require_content_length'] === true) return closes('requires Content-Length')
  const size = config['allowed_payload_size'] ?? 128
  const unit = SIZE_UNITS.get(String(scalarText(config['size_unit'] ?? 'megabytes')))
  const bytes = typeof size === 'number' && unit !== undefined ? Math.floor(size * unit) : -1
  if (!(bytes >= 0 && bytes <= 4 * 1024 ** 3)) return closes('has a size that is not possible here')
  return { kind: 'size', bytes }
}

function limitOf(config: Plain, closes: Closes): Effect {
  if (config['year'] != null) return closes('has a limit for a year')
  const limits: Plain[] = []
  for (const [name, limit] of Object.entries(WINDOWS)) {
    const max = config[name]
    if (max == null) continue
    if (typeof max !== 'number' || !(max >= 1 && max <= MAX_MAX))
      return closes(`has a limit for a ${name} that is not possible here`)
    limits.push({ name, max: Math.floor(max), ...limit })
  }
  return keyed(limits, scalarText(config['limit_by'] ?? 'consumer'), config, closes)
}

/** Longest window of a rate in seconds; longer ones are quotas. */
const RATE_WINDOW_S_MAX = 86_400

function advancedOf(config: Plain, closes: Closes): Effect {
  const { limit: maxima, window_size: sizes } = config
  for (const member of ['enforce_consumer_groups', 'consumer_groups', 'compound_identifier', 'throttling'])
    if (config[member] != null && config[member] !== false && !isDisabled(config[member]))
      return closes(`has ${member}, which is not carried over`)
  if (!Array.isArray(maxima) || !Array.isArray(sizes) || maxima.length !== sizes.length)
    return closes('has a limit without a window')
  const limits: Plain[] = []
  for (const [index, max] of maxima.entries()) {
    const seconds: unknown = sizes[index]
    if (typeof max !== 'number' || !(max >= 1 && max <= MAX_MAX))
      return closes('has a limit that is not possible here')
    if (typeof seconds !== 'number' || !Number.isInteger(seconds) || seconds < 1)
      return closes('has a window that is not possible here')
    const isQuota = seconds > RATE_WINDOW_S_MAX
    const window = {
      window: `${seconds}s`,
      ...(isQuota ? { kind: 'quota', rolling: true } : { kind: 'rate' }),
    }
    limits.push({ name: `limit-${index + 1}`, max: Math.floor(max), ...window })
  }
  return keyed(limits, scalarText(config['identifier'] ?? 'consumer'), config, closes)
}

/** An object of options that are all off, as dumps write it; an empty list. */
function isDisabled(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0
  return isPlain(value) && (value['enabled'] === false || Object.values(value).every((one) => one == null))
}

/** Limits with what shares a counter. */
function keyed(limits: readonly Plain[], by: string | undefined, config: Plain, closes: Closes): Effect {
  if (limits.length === 0) return closes('has no limit')
  const header = scalarText(config['header_name'])
  const keys: Readonly<Record<string, string | null>> = {
    consumer: null,
    ip: 'ip',
    service: 'global',
    ...(header === undefined ? {} : { header: `header:${header}` }),
  }
  if (by === undefined || !Object.hasOwn(keys, by)) return closes(`counts by ${by}`)
  const key = keys[by]!
  const all = key === null ? limits : limits.map((limit) => ({ ...limit, key }))
  if (!PolicySpec.safeParse({ name: 'x', limits: all }).success) return closes(`counts by ${by}`)
  return { kind: 'limit', limits: all, key }
}
