import { isPlain, listedTexts, type Plain, scalarText } from '../../base/plain.ts'
import { refuse } from '../../base/refusal.ts'
import { withoutEndSlashes } from '../../base/slashes.ts'
import { BasePath } from '../../model/collection.ts'
import { type HttpMethod, slugOf } from '../../model/common.ts'
import { HTTP_METHODS } from '../../model/methods.ts'
import type { Converted, MadeDocument } from './converted.ts'

/** True for a declarative configuration of Kong, as decK dumps it. */
export function isKong(document: Plain): boolean {
  return /^\d+\.\d+$/.test(scalarText(document['_format_version']) ?? '')
}

/** Collections that a client may call. */
const CALLABLE_MAX = 1000
/** Parts that are made in all. */
const PARTS_MAX = 1_000_000

/** Rates of the plugin rate-limiting by their member, and what they become. */
const WINDOWS = {
  second: { kind: 'rate', window: '1s' },
  minute: { kind: 'rate', window: '1m' },
  hour: { kind: 'rate', window: '1h' },
  day: { kind: 'quota', window: '1d' },
  month: { kind: 'quota', window: '30d' },
} as const

/** Plugins by which callers prove themselves: profiles do that here. */
const AUTHENTICATION = new Set([
  'key-auth',
  'basic-auth',
  'hmac-auth',
  'jwt',
  'oauth2',
  'openid-connect',
  'mtls-auth',
  'ldap-auth',
])

/**
 * A declarative configuration of Kong (decK) as documents: each path of a service becomes a collection, routes its
 * proxies, consumers clients with a profile of type token, rate limits policies. Keys of consumers are not taken over: tokens are issued
 * here. Everything that has no counterpart is noted. Pure; members that are no configuration are left out with a note.
 * Refuses with document_invalid what would become too much.
 */
export function fromKong(document: Plain): Converted {
  const making = new Making(document)
  for (const service of listIn(document, 'services')) making.service(service)
  for (const route of listIn(document, 'routes'))
    making.note(`route ${nameOf(route)} has no service and is left out`)
  for (const plugin of listIn(document, 'plugins')) making.sharedPlugin(plugin)
  for (const consumer of listIn(document, 'consumers')) making.consumer(consumer)
  for (const member of ['consumer_groups', 'certificates', 'ca_certificates', 'vaults', 'partials'])
    if (listIn(document, member).length > 0) making.note(`${member} are not taken over`)
  return making.done()
}

interface MadeCollection {
  readonly slug: string
  readonly base: string
  readonly hosts: readonly string[]
  readonly spec: Plain
  /** Methods by proxy path, so that no two answer the same. */
  readonly taken: Set<string>
}

class Making {
  readonly #documents: MadeDocument[] = []
  readonly #collections = new Map<string, MadeCollection>()
  readonly #slugs = new Set<string>()
  readonly #notes = new Set<string>()
  /** Slugs by the plugins that they were made of: one may hold for several collections. */
  readonly #policies = new Map<Plain, string>()
  /** Numbers to go on with, by slug, so that many equal names stay linear. */
  readonly #counts = new Map<string, number>()
  /** Plugins at the top by what they are of: `service orders`. */
  readonly #plugins = new Map<string, Plain[]>()
  readonly #pools = new Map<unknown, Plain>()
  #callable: readonly string[] | undefined
  #partsLeft = PARTS_MAX

  constructor(document: Plain) {
    for (const pool of listIn(document, 'upstreams').toReversed()) this.#pools.set(pool['name'], pool)
    for (const plugin of listIn(document, 'plugins'))
      for (const member of ['service', 'route', 'consumer']) {
        const owner = plugin[member]
        const name = isPlain(owner) ? owner['name'] : owner
        if (typeof name !== 'string') continue
        const key = `${member} ${name}`
        const known = this.#plugins.get(key) ?? []
        known.push(plugin)
        this.#plugins.set(key, known)
      }
  }

  note(sentence: string): void {
    this.#notes.add(sentence.slice(0, 500))
  }

  /** Counts what is made. Refuses with document_invalid what would become too much: parts may stand in many places. */
  #count(parts: number): void {
    this.#partsLeft -= parts
    if (this.#partsLeft >= 0) return
    throw refuse('document_invalid', {
      detail: `It would become more than ${PARTS_MAX} parts, as plugins, hosts and consumers are repeated for each collection. Convert it in pieces.`,
      errors: [{ pointer: '', reason: `more than ${PARTS_MAX} parts` }],
    })
  }

  #pluginsOf(owner: Plain, member: string, name: string): Plain[] {
    const plugins = [...listIn(owner, 'plugins'), ...(this.#plugins.get(`${member} ${name}`) ?? [])]
    this.#count(plugins.length)
    return plugins
  }

  done(): Converted {
    return { documents: this.#documents, notes: [...this.#notes] }
  }

  service(service: Plain): void {
    const name = nameOf(service)
    const upstream = this.#upstreamOf(service)
    if (upstream === null) {
      this.note(`service ${name} has no usable URL and is left out`)
      return
    }
    const routes = listIn(service, 'routes')
    if (routes.length === 0) this.note(`service ${name} has no routes and is left out`)
    const made = routes.flatMap((route) => this.#route(name, upstream, route))
    const plugins = this.#pluginsOf(service, 'service', name)
    const collections = new Set(made)
    this.#count(plugins.length * collections.size)
    for (const plugin of plugins)
      for (const collection of collections) this.#plugin(plugin, collection.spec, `service ${name}`)
  }

  /** A plugin of the whole configuration. */
  sharedPlugin(plugin: Plain): void {
    if (plugin['service'] !== undefined || plugin['route'] !== undefined || plugin['consumer'] !== undefined)
      return
    this.#count(this.#collections.size)
    for (const { spec } of this.#collections.values()) this.#plugin(plugin, spec, 'the whole')
  }

  consumer(consumer: Plain): void {
    const name = nameOf(consumer)
    const slug = this.#slug(name)
    // All collections are made before the first consumer
    this.#callable ??= [...this.#collections.values()].slice(0, CALLABLE_MAX).map((one) => one.slug)
    const callable = this.#callable
    this.#count(callable.length + 1)
    if (callable.length < this.#collections.size)
      this.note(
        `consumers may call the first ${CALLABLE_MAX} collections only, which is the most that a client may`,
      )
    const spec: Plain = { name, collections: callable }
    const plugins = this.#pluginsOf(consumer, 'consumer', name)
    for (const plugin of plugins) {
      if (plugin['name'] === 'rate-limiting') spec['policy'] = this.#policy(plugin, `consumer ${name}`)
      else this.note(`plugin ${nameOf(plugin)} of consumer ${name} is not taken over`)
    }
    this.#documents.push({ kind: 'client', slug, spec })
    this.#documents.push({
      kind: 'profile',
      slug: 'token',
      spec: { client: slug, name: 'Token', auth: { type: 'token' } },
    })
    this.note('keys of consumers are not taken over: rotate the profiles, which shows a new token of each')
    if (listIn(consumer, 'acls').length > 0)
      this.note(`groups of consumer ${name} are not taken over: it may call all collections that were made`)
  }

  #route(service: string, upstream: Plain, route: Plain): MadeCollection[] {
    const name = nameOf(route)
    if (isPlain(route['headers'])) this.note(`route ${name} goes by headers, which is left out`)
    const paths = listedTexts(route['paths'])
    if (paths.length === 0) this.note(`route ${name} has no paths and is left out`)
    const hosts = listedTexts(route['hosts']).filter((host) => {
      if (!host.includes('*')) return true
      this.note(`host ${host} of route ${name} is left out: write out the names`)
      return false
    })
    const wanted = new Set(listedTexts(route['methods']))
    return paths.flatMap((path) => {
      this.#count(hosts.length + 1)
      const base = withoutEndSlashes(path)
      if (path.startsWith('~') || !BasePath.safeParse(base).success) {
        this.note(
          `path ${path} of route ${name} is left out: a collection needs a plain base path that is not reserved`,
        )
        return []
      }
      const collection = this.#collectionAt(service, base, hosts, upstream)
      this.#proxies(collection, route, wanted)
      return [collection]
    })
  }

  #collectionAt(service: string, base: string, hosts: readonly string[], upstream: Plain): MadeCollection {
    this.#count((upstream['targets'] as readonly unknown[]).length)
    const key = `${base} ${[...hosts].sort().join()} ${JSON.stringify(upstream['targets'])}`
    const known = this.#collections.get(key)
    if (known !== undefined) return known
    const slug = this.#slug(service, `${service}${base}`)
    const spec: Plain = { name: slug, base_path: base, hosts, upstream, status: 'published' }
    const made = { slug, base, hosts, spec, taken: new Set<string>() }
    this.#collections.set(key, made)
    this.#documents.push({ kind: 'collection', slug, spec })
    return made
  }

  /** The base itself, and everything below it. */
  #proxies(collection: MadeCollection, route: Plain, wanted: ReadonlySet<string>): void {
    const name = nameOf(route)
    const all = HTTP_METHODS.filter((method) => wanted.size === 0 || wanted.has(method))
    const isStripped = route['strip_path'] !== false
    const prefix = isStripped ? '' : collection.base
    for (const path of ['/', '/*']) {
      const methods = all.filter((method) => !collection.taken.has(`${method} ${path}`))
      if (methods.length < all.length)
        this.note(`route ${name} is in part left out: another route answers ${collection.base}${path} before`)
      if (methods.length === 0) continue
      for (const method of methods) collection.taken.add(`${method} ${path}`)
      this.#documents.push({
        kind: 'proxy',
        slug: this.#slugBelow(collection, path === '/' ? name : `${name}-all`),
        spec: this.#proxy(collection, route, path, methods, prefix),
      })
    }
  }

  #proxy(
    collection: MadeCollection,
    route: Plain,
    path: string,
    methods: readonly HttpMethod[],
    prefix: string,
  ): Plain {
    const spec: Plain = {
      collection: collection.slug,
      name: `${nameOf(route)} ${path}`.slice(0, 120),
      methods,
      path,
      status: 'published',
      ...(prefix === '' ? {} : { target_path: path === '/' ? prefix : `${prefix}/*` }),
    }
    const plugins = this.#pluginsOf(route, 'route', nameOf(route))
    for (const plugin of plugins) this.#plugin(plugin, spec, `route ${nameOf(route)}`)
    return spec
  }

  /** What a plugin says of a collection or a proxy. */
  #plugin(plugin: Plain, spec: Plain, owner: string): void {
    const name = nameOf(plugin)
    const config = isPlain(plugin['config']) ? plugin['config'] : {}
    const isCollection = spec['base_path'] !== undefined
    if (plugin['enabled'] === false) return
    if (name === 'rate-limiting') spec['policy'] = this.#policy(plugin, owner)
    else if (name === 'request-size-limiting' && isCollection) {
      const size = Number(scalarText(config['allowed_payload_size'] ?? 128))
      spec['max_body'] = Math.round(size * 1024 ** (config['size_unit'] === 'kilobytes' ? 1 : 2))
    } else if (name === 'cors' && isCollection) spec['cors'] = this.#cors(config)
    else if (AUTHENTICATION.has(name))
      this.note(`plugin ${name} is not taken over: callers prove themselves by their profile`)
    else this.note(`plugin ${name} of ${owner} is not taken over`)
  }

  #cors(config: Plain): Plain {
    const origins = listedTexts(config['origins'])
    const isCredentials = config['credentials'] === true && !origins.includes('*')
    return {
      origins: origins.length === 0 ? ['*'] : origins,
      ...(isCredentials ? { credentials: true } : {}),
      ...(typeof config['max_age'] === 'number' ? { max_age: `${config['max_age']}s` } : {}),
    }
  }

  #policy(plugin: Plain, owner: string): string {
    const known = this.#policies.get(plugin)
    if (known !== undefined) return known
    const config = isPlain(plugin['config']) ? plugin['config'] : {}
    const slug = this.#slug(`${owner.split(' ').at(-1)!}-limit`)
    const limits = Object.entries(WINDOWS).flatMap(([name, limit]) => {
      const max = config[name]
      return typeof max === 'number' && max >= 1 ? [{ name, max: Math.floor(max), ...limit }] : []
    })
    if (config['year'] != null) this.note(`the limit for a year of ${owner} is left out`)
    this.#policies.set(plugin, slug)
    this.#documents.push({ kind: 'policy', slug, spec: { name: slug, limits } })
    return slug
  }

  #upstreamOf(service: Plain): Plain | null {
    const url = urlOf(service)
    if (url === null) return null
    const pool = this.#pools.get(url.hostname)
    const path = withoutEndSlashes(url.pathname)
    const listed = pool === undefined ? [] : listIn(pool, 'targets')
    this.#count(listed.length)
    const targets = listed.flatMap((one) => {
      const { target, weight } = one
      const at = `${url.protocol}//${scalarText(target)}${path}`
      if (!URL.canParse(at)) return []
      return [{ url: at, ...(typeof weight === 'number' && weight >= 1 ? { weight } : {}) }]
    })
    const timeout = (member: string): string | undefined =>
      typeof service[member] === 'number' ? `${service[member]}ms` : undefined
    const timeouts = {
      connect: timeout('connect_timeout'),
      first_byte: timeout('read_timeout'),
    }
    return {
      targets: targets.length > 0 ? targets : [{ url: `${url.origin}${path}` }],
      ...(timeouts.connect === undefined && timeouts.first_byte === undefined ? {} : { timeouts }),
    }
  }

  #slug(...names: readonly string[]): string {
    const wanted = names.map(slugOf).filter((slug) => slug !== '')
    const base = wanted.find((slug) => !this.#slugs.has(slug)) ?? wanted.at(-1) ?? 'unnamed'
    return this.#unused(base, '')
  }

  #slugBelow({ slug }: MadeCollection, name: string): string {
    return this.#unused(slugOf(name) || 'route', `${slug}:`)
  }

  #unused(base: string, above: string): string {
    let slug = base
    const stem = base.slice(0, 56)
    for (let count = this.#counts.get(above + stem) ?? 2; this.#slugs.has(above + slug); count++) {
      slug = `${stem}-${count}`
      this.#counts.set(above + stem, count + 1)
    }
    this.#slugs.add(above + slug)
    return slug
  }
}

function urlOf(service: Plain): URL | null {
  const { url, protocol, host, port, path } = service
  const text =
    typeof url === 'string'
      ? url
      : `${scalarText(protocol ?? 'http')}://${scalarText(host)}${port === undefined ? '' : `:${scalarText(port)}`}${scalarText(path ?? '')}`
  if ((url === undefined && typeof host !== 'string') || !URL.canParse(text)) return null
  const parsed = new URL(text)
  return parsed.protocol === 'http:' || parsed.protocol === 'https:' ? parsed : null
}

function listIn(owner: Plain, member: string): Plain[] {
  const list = owner[member]
  return Array.isArray(list) ? list.filter(isPlain) : []
}

function nameOf(one: Plain): string {
  const { name, username, custom_id: id } = one
  const text = [name, username, id].find(
    (value): value is string => typeof value === 'string' && value !== '',
  )
  return (text ?? 'unnamed').slice(0, 100)
}
