import { type Plain, scalarText } from '../../base/json/storable.ts'
import { refuse } from '../../base/refusal.ts'
import { Cors } from '../../model/api/collection.ts'
import { type HttpMethod, slugOf } from '../../model/members.ts'
import type { Converted, MadeDocument } from '../converted.ts'
import { consumersOf, ignoredIn } from './consumers.ts'
import { ENTITIES } from './counterparts.ts'
import { inOneForm } from './flat.ts'
import { Keys } from './keys.ts'
import type { MadeCollection, MadeRoute, Making } from './made.ts'
import { DOCUMENT_MEMBERS, listIn, nameOf, oddLists, refOf, tagsOf, unknownMembers } from './members.ts'
import { PLACES_MAX, type Places } from './plugin-effects.ts'
import { narrowed, type PluginInForce, Plugins, type PluginsByName } from './plugins-in-force.ts'
import { Report } from './report.ts'
import { type ReadRoute, type RoutePath, readRoute } from './routes.ts'
import { upstreamOf } from './upstream.ts'

/** True for a declarative configuration of Kong, as decK dumps it. */
export function isKong(document: Plain): boolean {
  return /^\d+\.\d+$/.test(scalarText(document['_format_version']) ?? '')
}

/** Members of the document that are lists of objects. */
const LISTS = [...DOCUMENT_MEMBERS].filter((member) => !member.startsWith('_'))

/** Parts that are made in all. */
const PARTS_MAX = 1_000_000

/**
 * A declarative configuration of Kong (decK) as documents: each path of a service becomes a collection, routes its
 * proxies, consumers clients with a profile of type token, rate limits policies. Keys of consumers are beside the documents, to be
 * imported after these. What is not carried over exactly stays closed: it is left out or a draft, and so is every collection that would answer
 * in its place; a note says so. Pure; members that are no configuration are left out with a note.
 * Refuses with document_invalid what would become too much.
 */
export function fromKong(document: Plain): Converted {
  return new Conversion(document).make()
}

/** Paths that are answered nowhere, though they were before. */
interface Shadow {
  readonly path: Pick<RoutePath, 'prefix' | 'isPattern'>
  readonly hosts: readonly string[]
  readonly methods: readonly HttpMethod[]
  readonly what: string
  readonly own: MadeCollection | null
}

class Conversion implements Making {
  readonly #document: Plain
  readonly #documents: MadeDocument[] = []
  readonly #collections: MadeCollection[] = []
  readonly #mounts = new Map<string, MadeCollection>()
  readonly #shadows: Shadow[] = []
  readonly #slugs = new Set<string>()
  readonly report = new Report()
  readonly keys = new Keys(this.report)
  /** Slugs by the plugins that they were made of. */
  readonly #policies = new Map<Plain, string>()
  /** Numbers to go on with, by slug, so that many equal names stay linear. */
  readonly #counts = new Map<string, number>()
  readonly plugins: Plugins
  readonly #pools = new Map<unknown, Plain>()
  #partsLeft = PARTS_MAX

  constructor(document: Plain) {
    this.#document = inOneForm(document, this.report)
    for (const pool of listIn(this.#document, 'upstreams').toReversed()) this.#pools.set(pool['name'], pool)
    this.plugins = new Plugins(this.#document, (parts) => this.count(parts))
  }

  /** Counts what is made. Refuses with document_invalid what would become too much: parts may stand in many places. */
  count(parts: number): void {
    this.#partsLeft -= parts
    if (this.#partsLeft >= 0) return
    throw refuse('document_invalid', {
      detail: `It would become more than ${PARTS_MAX} parts, because plugins, hosts and consumers are repeated for each collection. Convert it in pieces.`,
      errors: [{ pointer: '', reason: `more than ${PARTS_MAX} parts` }],
    })
  }

  make(): Converted {
    const document = this.#document
    for (const member of unknownMembers(document, DOCUMENT_MEMBERS))
      this.report.leftOut(
        member,
        '',
        Object.hasOwn(ENTITIES, member) ? ENTITIES[member]!.here : 'their meaning is unknown',
      )
    for (const member of oddLists(document, LISTS))
      this.report.leftOut(member, '', 'items that are not objects, or the whole member if it is not a list')
    for (const one of this.plugins.global.values()) this.#noteLeftOut(one)
    const routes = Map.groupBy(listIn(document, 'routes'), (route) => refOf(route['service']))
    for (const service of listIn(document, 'services')) {
      const refs = new Set([service['name'], service['id']].filter((ref) => typeof ref === 'string'))
      const further = [...refs].flatMap((ref) => routes.get(ref as string) ?? [])
      for (const ref of refs) routes.delete(ref as string)
      this.#service(service, [...listIn(service, 'routes'), ...further])
    }
    for (const alone of [...routes.values()].flat()) {
      this.report.leftOut('route', nameOf(alone), 'it has no service')
      this.#shadowOf(readRoute(alone, this.#isOld()), null)
    }
    for (const collection of this.#collections) {
      this.#judge(collection)
      this.#judgeCors(collection)
    }
    this.#limits()
    this.#closeShadowed()
    this.#write()
    consumersOf(document, this, this.#collections)
    for (const [owner, plugin] of this.plugins.unowned)
      this.report.leftOut('plugin', plugin, `there is no ${owner}`)
    const keys = this.keys.made
    if (keys.length > 0)
      this.report.told(
        'keys',
        '',
        'import them after the apply, with postern import-keys FILE --managed-by SET',
      )
    return { documents: this.#documents, keys, ...this.report.made }
  }

  #isOld(): boolean {
    return Number(scalarText(this.#document['_format_version'])) < 3
  }

  #service(source: Plain, sources: readonly Plain[]): void {
    const name = nameOf(source)
    const { spec, reasons, notes } = upstreamOf(source, this.#pools)
    this.count(spec === null ? 1 : (spec['targets'] as readonly unknown[]).length)
    const isOff = source['enabled'] === false
    const service = {
      name,
      upstream: spec,
      isOff,
      tags: tagsOf(source),
      collections: new Set<MadeCollection>(),
    }
    const { report } = this
    if (spec === null) report.leftOut('service', name, reasons.join('; '))
    for (const note of notes) report.different('service', name, note)
    if (isOff) report.told('service', name, 'it is disabled: its collections are drafts')
    if (sources.length === 0) report.leftOut('service', name, 'it has no routes')
    if (oddLists(source, ['routes']).length > 0)
      report.different('service', name, 'routes that are not objects are left out')
    const ofService = this.plugins.of(source, 'service', [])
    for (const one of ofService.values()) this.#noteLeftOut(one)
    const routes = sources.map((route): MadeRoute => {
      const own = this.plugins.of(route, 'route', ['service'])
      this.count(own.size + ofService.size + 1)
      for (const one of own.values()) this.#noteLeftOut(one)
      const read = readRoute(route, this.#isOld())
      const closed = new Set(read.reasons)
      const plugins = narrowed(this.plugins.global, ofService, own)
      return { ...read, source: route, service, plugins, closed, collections: new Set() }
    })
    // The more is named, the sooner a route answers
    for (const route of routes.toSorted((a, b) => Number(b.namesMethods) - Number(a.namesMethods)))
      this.#route(route, spec === null ? null : reasons)
  }

  /** @param reasons why the collections of the service are drafts; null where it is left out */
  #route(route: MadeRoute, reasons: readonly string[] | null): void {
    const { name, service } = route
    for (const note of route.notes) this.report.different('route', name, note)
    if (route.leftOut !== null || reasons === null) {
      this.report.leftOut('route', name, route.leftOut ?? `service ${service.name} is left out`)
      if (!service.isOff) this.#shadowOf(route, null)
      return
    }
    for (const path of route.paths) {
      this.count(route.hosts.length + 1)
      const collection = path.base === null ? null : this.#collectionAt(path.base, route)
      if (collection === null) {
        const why =
          path.base === null
            ? 'a collection needs a plain base path that is not reserved'
            : 'another service has this path'
        this.report.leftOut('path', `${path.text.slice(0, 200)} of route ${name}`, why)
        if (!service.isOff) this.#shadowOf({ ...route, paths: [path] }, null)
        continue
      }
      for (const reason of reasons) collection.closed.add(reason)
      route.collections.add(collection)
      collection.routes.add(route)
      for (const below of path.isBelowOnly ? ['/*'] : ['/', '/*']) this.#proxy(collection, route, below)
    }
  }

  #shadowOf(route: ReadRoute, own: MadeCollection | null): void {
    if (route.isAvoidable) return
    const { hosts, methods, name } = route
    for (const path of route.paths) this.#shadows.push({ path, hosts, methods, what: `route ${name}`, own })
  }

  /** Null where other settings are in force at the same place. */
  #collectionAt(base: string, { service, hosts, keepsHost }: MadeRoute): MadeCollection | null {
    const wanted = [...hosts].sort()
    const found = (wanted.length === 0 ? ['*'] : wanted).map((host) => this.#mounts.get(`${base} ${host}`))
    const known = found.find((one) => one !== undefined)
    if (known !== undefined) {
      const isSame =
        known.service === service &&
        known.hosts.join() === wanted.join() &&
        (known.spec['upstream'] as Plain)['host_header'] === (keepsHost ? 'preserve' : undefined)
      return isSame ? known : null
    }
    const slug = this.#slug(service.name, `${service.name}${base}`)
    const spec: Plain = {
      name: slug,
      base_path: base,
      hosts: wanted,
      upstream: { ...service.upstream, ...(keepsHost ? { host_header: 'preserve' } : {}) },
      ...(service.tags.length === 0 ? {} : { tags: service.tags }),
    }
    const made: MadeCollection = {
      slug,
      base,
      service,
      hosts: wanted,
      spec,
      routes: new Set(),
      closed: new Set(),
      proxies: [],
      acl: null,
    }
    for (const host of wanted.length === 0 ? ['*'] : wanted) this.#mounts.set(`${base} ${host}`, made)
    this.#collections.push(made)
    service.collections.add(made)
    return made
  }

  /** A path that two routes answer goes to the first one, which names more. Where both name as much, it is not known which. */
  #proxy(collection: MadeCollection, route: MadeRoute, path: string): void {
    const others = collection.proxies.filter((one) => one.path === path && one.route !== route)
    const taken = new Set(others.flatMap(({ methods }) => methods))
    const methods = route.methods.filter((method) => !taken.has(method))
    if (methods.length < route.methods.length) {
      const place = `${collection.base}${path}`.slice(0, 200)
      this.report.leftOut('route', `${route.name} at ${place}`, 'an earlier route has this path')
      for (const other of others)
        if (other.route.namesMethods === route.namesMethods && !isAlike(other.route.plugins, route.plugins))
          for (const one of [other.route, route])
            one.closed.add('another route with other plugins matches the same requests')
    }
    const own = collection.proxies.some((one) => one.path === path && one.route === route)
    if (methods.length > 0 && !own) collection.proxies.push({ route, path, methods })
  }

  /** Puts what plugins say in its place, or closes what they protect. Limits are counted, and come later. */
  #judge(collection: MadeCollection): void {
    const routes = [...collection.routes]
    for (const route of routes)
      for (const inForce of route.plugins.values()) {
        this.count(1)
        const { effect, name, level } = inForce
        const isShared =
          level !== 'route' || routes.every((one) => one.plugins.get(name)?.plugin === inForce.plugin)
        const place = isShared ? collection : route
        if (effect.kind === 'closes') place.closed.add(effect.reason)
        else if (effect.kind === 'addresses') place.closed.add(`plugin ${name} has no counterpart`)
        else if (effect.kind === 'auth') addPlaces(collection, effect.places)
        else if (effect.kind === 'acl' && isShared) collection.acl = effect
        else if (effect.kind === 'size' && isShared) collection.spec['max_body'] = effect.bytes
        else if (effect.kind === 'acl' || effect.kind === 'size')
          route.closed.add(`plugin ${name} would have to apply to this route only`)
      }
  }

  /** CORS is one for a collection. Where its routes differ there is none, so that browsers refuse pages from elsewhere. */
  #judgeCors(collection: MadeCollection): void {
    const all = [...collection.routes].map(({ plugins }) => plugins.get('cors'))
    const [first] = all
    if (all.every((one) => one?.plugin === first?.plugin)) {
      if (first?.effect.kind === 'cors') collection.spec['cors'] = withKeys(first.effect.cors, collection)
    } else
      this.report.leftOut('CORS', `of collection ${collection.slug}`, 'its routes have different settings')
  }

  /** A limit is carried over where one counter counts the same calls as before. */
  #limits(): void {
    for (const collection of this.#collections)
      for (const route of collection.routes)
        for (const inForce of route.plugins.values()) {
          if (inForce.effect.kind !== 'limit') continue
          this.count(1)
          // Clients count it, over all that they call
          if (inForce.level === 'global' && inForce.effect.key === null) continue
          const routes = [...collection.routes]
          const isAll = routes.every((one) => one.plugins.get(inForce.name)?.plugin === inForce.plugin)
          const reach =
            inForce.level === 'route'
              ? route.collections
              : inForce.level === 'service'
                ? route.service.collections
                : new Set(this.#collections)
          const isUnseen = headersOf(collection).has(inForce.effect.key?.toLowerCase() ?? '')
          const isOne = !isUnseen && reach.size === 1 && (isAll || inForce.level !== 'route')
          if (isUnseen) collection.closed.add('its rate limit counts by the header of the key')
          else if (isOne) collection.spec['policy'] = this.policy(inForce)
          else if (inForce.level === 'route')
            route.closed.add('its rate limit would be counted for each of its paths')
          else
            collection.closed.add(`the rate limit of ${inForce.owner} would be counted for each of its paths`)
        }
  }

  /** A collection is closed too where it would answer what another one, or a route that is left out, answered before. */
  #closeShadowed(): void {
    const byBase = Map.groupBy(this.#collections, ({ base }) => base)
    const close = (
      { path, hosts, methods, what, own }: Shadow,
      candidates: readonly MadeCollection[],
    ): void => {
      for (const one of candidates) {
        this.count(1)
        if (one === own || one.closed.size > 0 || one.service.isOff || !meet(one.hosts, hosts)) continue
        const answers = one.proxies.some((proxy) => proxy.methods.some((method) => methods.includes(method)))
        if (answers)
          one.closed.add(`it would answer ${path.prefix || 'paths'} of ${what}, which is not published`)
      }
    }
    const closeAbove = (shadow: Shadow): void => {
      const { prefix } = shadow.path
      for (let at = prefix.length; at > 0; at = prefix.lastIndexOf('/', at - 1))
        close(shadow, byBase.get(prefix.slice(0, at)) ?? [])
    }
    for (const shadow of this.#shadows) {
      closeAbove(shadow)
      if (!shadow.path.isPattern) continue
      this.count(this.#collections.length)
      close(
        shadow,
        this.#collections.filter(({ base }) => base.startsWith(shadow.path.prefix)),
      )
    }
    // The longest first: one that is closed may close those above it
    for (const one of this.#collections.toSorted((a, b) => b.base.length - a.base.length)) {
      const drafts = one.proxies.filter(({ route }) => one.closed.size > 0 || route.closed.size > 0)
      if (one.service.isOff || drafts.length === 0) continue
      const methods = [...new Set(drafts.flatMap((proxy) => proxy.methods))]
      closeAbove({
        path: { prefix: one.base, isPattern: false },
        hosts: one.hosts,
        methods,
        what: `collection ${one.slug}`,
        own: one,
      })
    }
  }

  #write(): void {
    for (const collection of this.#collections) {
      const { slug, spec, closed, service } = collection
      if (closed.size > 0) this.report.closed('collection', slug, [...closed].join('; '))
      else this.report.kept('service', service.name, `collection ${slug} at ${collection.base}`)
      const isOpen = [...collection.routes].some(({ plugins }) =>
        [...plugins.values()].every(({ effect }) => effect.kind !== 'auth'),
      )
      if (closed.size === 0 && isOpen)
        this.report.different(
          'collection',
          slug,
          'it had no authentication, but callers of Postern need the token of a profile, or the id of a profile of type none',
        )
      const status = closed.size > 0 || service.isOff ? 'draft' : 'published'
      this.#documents.push({ kind: 'collection', slug, spec: { ...spec, status } })
      for (const { route, path, methods } of collection.proxies) {
        this.count(1)
        const { closed: own, name } = route
        if (own.size > 0) this.report.closed('route', name, [...own].join('; '))
        else if (closed.size > 0) this.report.closed('route', name, `collection ${slug} is a draft`)
        else this.report.kept('route', name, `proxies of collection ${slug}`)
        const tags = tagsOf(route.source)
        const prefix = route.isStripped ? '' : collection.base
        this.#documents.push({
          kind: 'proxy',
          slug: this.#unused(slugOf(path === '/' ? name : `${name}-all`) || 'route', `${slug}:`),
          spec: {
            collection: slug,
            name: `${name} ${path}`.slice(0, 120),
            methods,
            path,
            status: own.size > 0 ? 'draft' : 'published',
            ...(tags.length === 0 ? {} : { tags }),
            ...(prefix === '' ? {} : { target_path: path === '/' ? prefix : `${prefix}/*` }),
          },
        })
      }
    }
  }

  /** What becomes of a plugin, for the report: the owner of one that closes has a row of its own. */
  #noteLeftOut(inForce: PluginInForce): void {
    const { effect, name, owner, ignored } = inForce
    const called = `${name} of ${owner}`
    if (effect.kind === 'observes') this.report.leftOut('plugin', called, 'it does not decide about requests')
    else if (effect.kind === 'left out') this.report.leftOut('plugin', called, effect.reason)
    else if (effect.kind === 'auth' && name !== 'key-auth')
      this.report.different('plugin', called, 'callers authenticate with the token of their profile')
    else if (effect.kind === 'auth')
      this.report.told('plugin', called, 'callers send their key as before; the upstream does not get it')
    else if (effect.kind === 'closes' || effect.kind === 'addresses')
      this.report.leftOut('plugin', called, 'what it protects is a draft')
    else this.report.kept('plugin', called, KEPT[effect.kind])
    if (effect.kind === 'auth' && effect.isOptional)
      this.report.different('plugin', called, 'anonymous callers are refused here')
    if (ignored.length > 0) this.report.different('plugin', called, ignoredIn(inForce))
  }

  add(document: MadeDocument): void {
    this.#documents.push(document)
  }

  /** Slug of the policy that a plugin becomes; its effect is a limit. */
  policy({ plugin, owner, effect }: PluginInForce): string {
    const known = this.#policies.get(plugin)
    if (known !== undefined) return known
    const slug = this.#slug(`${owner.split(' ').slice(1).join(' ')}-limit`)
    this.#policies.set(plugin, slug)
    const limits = effect.kind === 'limit' ? effect.limits : []
    this.#documents.push({ kind: 'policy', slug, spec: { name: slug, limits } })
    return slug
  }

  client(name: string): string {
    return this.#unused(slugOf(name) || 'unnamed', 'client:')
  }

  #slug(...names: readonly string[]): string {
    const wanted = names.map(slugOf).filter((slug) => slug !== '')
    const base = wanted.find((slug) => !this.#slugs.has(slug)) ?? wanted.at(-1) ?? 'unnamed'
    return this.#unused(base, '')
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

/** What plugins become, where they say it. */
const KEPT = {
  acl: 'collections of clients',
  cors: 'cors of collections',
  size: 'max_body of collections',
  limit: 'a policy, if a collection or client has it',
} as const

/** Callers may send keys where any route of the collection takes them: a place opens nothing by itself. */
function addPlaces({ spec }: MadeCollection, { headers, query }: Places): void {
  if (headers.length + query.length === 0) return
  const known = spec['key_places'] as Places | undefined
  spec['key_places'] = {
    headers: [...new Set([...(known?.headers ?? []), ...headers])].slice(0, PLACES_MAX),
    query: [...new Set([...(known?.query ?? []), ...query])].slice(0, PLACES_MAX),
  }
}

/** Where Kong allows every header, pages of other origins go on sending keys. */
function withKeys(cors: Plain, { spec }: MadeCollection): Plain {
  const places = spec['key_places'] as Places | undefined
  if (places === undefined || cors['headers'] !== undefined) return cors
  const usual = Cors.parse({ origins: ['*'] }).headers
  return { ...cors, headers: [...new Set([...usual, ...places.headers])] }
}

/** Headers that hold keys, as limits name them. */
function headersOf({ spec }: MadeCollection): ReadonlySet<string> {
  const places = spec['key_places'] as Places | undefined
  return new Set(places?.headers.map((name) => `header:${name.toLowerCase()}`))
}

/** True for the same plugins. */
function isAlike(a: PluginsByName, b: PluginsByName): boolean {
  return a.size === b.size && [...a].every(([name, { plugin }]) => b.get(name)?.plugin === plugin)
}

/** True where a request may be for both; no host means any. */
function meet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === 0 || b.length === 0 || a.some((host) => b.includes(host))
}
