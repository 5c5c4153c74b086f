/**
 * Public names of capabilities: what clients of a virtual MCP call tools and prompts, and read resources by.
 *
 * Invariants:
 * 1. A name is fixed once it is given, also while its item is gone. It changes only with the name that the policy projects, where a
 *    member comes whose prefix it begins with, and where it has dots that model APIs refuse: the name with dots is then an alias.
 * 2. No two items of a type have the same name.
 * 3. Names of tools and prompts have 1 to 60 characters; those of tools are of `A-Za-z0-9_.-`, and those of endpoints of collections have
 *    no dots.
 * 4. New items get the same names in whatever order a member lists them.
 * 5. A URI that an unprefixed template of one member may stand for is never the unprefixed URI of a new item of another member.
 * 6. A prefix that stands in URIs of one member is never given to another one.
 * 7. A name of a tool or prompt that begins with the prefix of another member is never what a server calls its item: rules and people take
 *    such a name for one of that member. A policy may project one.
 */
import { hash } from 'node:crypto'
import { foldName } from '../../base/text/folded-names.ts'
import type { CapabilityType } from './capability.ts'

// Public URIs of resources where several members of a virtual MCP may have the same. A prefix stands where URL parsers leave it
// as it is: before the authority of a hierarchical URI (`file:///a` is `file://<prefix>~/a`), after the scheme of any other
// (`urn:a` is `urn:<prefix>~a`), and at the start of a text without a scheme. URI templates take it in the same place.
// Invariant: {@link fromPublicUri} undoes {@link toPublicUri}, and two prefixes never give the same text.

/** The scheme with its colon, and the two slashes of an authority. */
const HEAD = /^(?:[A-Za-z][A-Za-z0-9+.-]*:(?:\/\/)?)?/
const PREFIX = /^([a-z0-9][a-z0-9-]{0,80})~/

/** @param prefix Lower-case letters, digits and hyphens, at most 81, not starting with a hyphen. */
export function toPublicUri(prefix: string, uri: string): string {
  const head = HEAD.exec(uri)![0]
  return `${head}${prefix}~${uri.slice(head.length)}`
}

/** The prefix and the URI at the member; null for a text without a prefix. Neither has to exist. */
export function fromPublicUri(uri: string): { readonly prefix: string; readonly uri: string } | null {
  const head = HEAD.exec(uri)![0]
  const found = PREFIX.exec(uri.slice(head.length))
  if (found === null) return null
  return { prefix: found[1]!, uri: head + uri.slice(head.length + found[0].length) }
}

// Which unprefixed URIs of a virtual MCP belong to which member: whole URIs of resources, and the literal beginnings of templates.
// A question takes a binary search for each member, because origins may list thousands of items.

interface Claimed {
  /** Sorted. */
  readonly uris: string[]
  /** Sorted. None of them begins with another one, so that only the one before a URI can be its beginning. */
  readonly heads: string[]
}

class UriClaims {
  readonly #byMember = new Map<string, Claimed>()

  /** @param uris all unprefixed URIs of resources, of any member */
  addUris(uris: readonly { readonly member: string; readonly uri: string }[]): void {
    for (const { member, uri } of uris) this.#of(member).uris.push(uri)
    for (const { uris: own } of this.#byMember.values()) own.sort()
  }

  addTemplate(member: string, template: string): void {
    const { heads } = this.#of(member)
    const head = headOf(template)
    if (beginningIn(heads, head)) return
    const at = placeIn(heads, head)
    let covered = at
    while (heads[covered]?.startsWith(head) === true) covered++
    heads.splice(at, covered - at, head)
  }

  /** True if a template of another member may stand for the URI. */
  isUriTaken(own: string, uri: string): boolean {
    return this.#isOfAnother(own, ({ heads }) => beginningIn(heads, uri))
  }

  /** True if the template and an item of another member may stand for one URI. */
  isTemplateTaken(own: string, template: string): boolean {
    const head = headOf(template)
    const follows = (texts: readonly string[]): boolean =>
      texts[placeIn(texts, head)]?.startsWith(head) === true
    return this.#isOfAnother(
      own,
      ({ uris, heads }) => follows(uris) || follows(heads) || beginningIn(heads, head),
    )
  }

  #isOfAnother(own: string, fits: (claimed: Claimed) => boolean): boolean {
    for (const [member, claimed] of this.#byMember) if (member !== own && fits(claimed)) return true
    return false
  }

  #of(member: string): Claimed {
    let claimed = this.#byMember.get(member)
    if (claimed === undefined) {
      claimed = { uris: [], heads: [] }
      this.#byMember.set(member, claimed)
    }
    return claimed
  }
}

/** The text before the first expression of a template (RFC 6570). */
function headOf(template: string): string {
  return template.split('{', 1)[0]!
}

/** True if one of the heads is a beginning of the text. */
function beginningIn(heads: readonly string[], text: string): boolean {
  const at = placeIn(heads, text)
  return heads[at] === text || (at > 0 && text.startsWith(heads[at - 1]!))
}

/** Place of the first text that is not before the given one. */
function placeIn(sorted: readonly string[], text: string): number {
  let [from, to] = [0, sorted.length]
  while (from < to) {
    const middle = (from + to) >> 1
    if (sorted[middle]! < text) from = middle + 1
    else to = middle
  }
  return from
}

/** Model APIs take names of at most 64 characters; clients put some before it. */
const NAME_CHARS_MAX = 60
/** Characters of the hash in a shortened name. */
const HASH_CHARS = 8
/** Names that are kept for items that are gone, so that a server that renames its items without end costs no more. */
const GONE_MAX = 5000

/** The public name of one item; the state of a virtual MCP has a list of them for each type, oldest first. */
export interface PublicName {
  /** Id of the member. */
  readonly member: string
  /** What the member's server calls the item. */
  readonly key: string
  /** What the name was made of: the projected name, or the key. */
  readonly base: string
  readonly name: string
  /** A name with dots that the item answers to as well and that no list has. */
  readonly alias?: string
}

/** All public names of a virtual MCP, as its state has them. */
export interface PublicNames extends Readonly<Record<CapabilityType, readonly PublicName[]>> {
  /** Prefix of each member, by its id, once there were several members; a prefix is fixed as a name is. */
  readonly prefixes?: Readonly<Record<string, string>>
}

/** Public URIs of resources and of templates, which share one space. */
export type PublicUris = Pick<PublicNames, 'resources' | 'resource_templates'>

interface Item {
  readonly key: string
  readonly base: string
}

export interface NamedMember {
  readonly id: string
  /** As of {@link prefixesOf}. */
  readonly prefix: string
  readonly items: readonly Item[]
  /** What it lists are endpoints of a collection: what they are called was made of a description. */
  readonly isOwn?: boolean
}

/** A member with what it lists of both types that have URIs. */
export interface LocatedMember {
  readonly id: string
  readonly prefix: string
  readonly resources: readonly Item[]
  readonly resource_templates: readonly Item[]
}

/**
 * Gives new tools or prompts their names; the first member wins a name that several ask for.
 * @param existing What was given before.
 * @param members In their order; names of members that are not among them become free.
 * @param mode `auto` puts the prefix only before a name that is taken, `always` before each new one.
 */
export function assignNames(
  type: 'tools' | 'prompts',
  existing: readonly PublicName[],
  members: readonly NamedMember[],
  mode: 'auto' | 'always',
): PublicName[] {
  const clean = type === 'tools' ? cleanToolName : (name: string): string => name
  // What a policy projects stands as a person wrote it
  const hasNoDots = ({ isOwn }: Pick<NamedMember, 'isOwn'>, { key, base }: Item): boolean =>
    type === 'tools' && isOwn === true && base === key
  const plainOf = (member: NamedMember, item: Item): string =>
    hasNoDots(member, item) ? withoutDots(clean(item.base)) : clean(item.base)
  // Names that stand as they are come first: they win over those that cleaning makes equal
  const rank = (item: Item, member: NamedMember): number => (plainOf(member, item) === item.base ? 0 : 1)
  const holders = new Map(members.map(({ id, prefix }) => [foldName(prefix), id]))
  const isReserved = (name: string, id: string): boolean => {
    const end = name.indexOf('_')
    return end > 0 && (holders.get(foldName(name.slice(0, end))) ?? id) !== id
  }
  const fit = existing
    .filter(({ member, key, base, name }) => base !== key || !isReserved(name, member))
    .map((one): PublicName => {
      const { alias, ...rest } = one
      return alias !== undefined && isReserved(alias, one.member) ? rest : one
    })
  function* candidates(member: NamedMember, item: Item): Generator<string> {
    const { prefix, id } = member
    const { key, base } = item
    const plain = plainOf(member, item)
    if (mode === 'auto' && (base !== key || !isReserved(plain, id))) yield shortened(plain, id, key)
    const prefixed = `${prefix}_${plain}`
    yield shortened(prefixed, id, key)
    for (let round = 0; ; round++) yield withHash(prefixed, id, `${key}\0${round}`)
  }
  const byId = new Map(members.map((member) => [member.id, member]))
  const taken = takenBy(fit)
  const given = fit.map((one): PublicName => {
    const member = byId.get(one.member)
    if (member === undefined || !one.name.includes('.') || !hasNoDots(member, one)) return one
    const plain = withoutDots(one.name)
    const isFree = !taken.has(plain) && !isReserved(plain, one.member)
    const name = isFree ? plain : firstFree(candidates(member, one), taken)
    taken.add(name)
    return { ...one, name, alias: one.name }
  })
  const names = assign(given, members, rank, candidates)
  return type === 'tools' ? withAliases(names, byId, hasNoDots, isReserved) : names
}

/** Names with dots for items that never had one, where nothing else has it: people know an endpoint by this name. */
function withAliases(
  names: readonly PublicName[],
  members: ReadonlyMap<string, NamedMember>,
  hasNoDots: (member: NamedMember, item: Item) => boolean,
  isReserved: (name: string, id: string) => boolean,
): PublicName[] {
  const taken = takenBy(names)
  return names.map((one) => {
    const dotted = cleanToolName(one.base)
    if (one.alias !== undefined || !dotted.includes('.')) return one
    if (!hasNoDots(members.get(one.member)!, one) || !one.name.endsWith(withoutDots(dotted))) return one
    const alias = one.name.slice(0, -dotted.length) + dotted
    if (taken.has(alias) || isReserved(alias, one.member)) return one
    taken.add(alias)
    return { ...one, alias }
  })
}

function takenBy(names: readonly PublicName[]): Set<string> {
  return new Set(names.flatMap(({ name, alias }) => (alias === undefined ? [name] : [name, alias])))
}

/**
 * Gives new resources and templates their URIs. An item keeps its own URI where nothing of another member may be meant by it:
 * a resource while no other item has it and no unprefixed template of another member begins as it does, a template while its
 * literal beginning is that of no unprefixed URI of another member. A URI that looks prefixed gets a prefix too, so that no text
 * means two things.
 */
export function assignUris(existing: PublicUris, members: readonly LocatedMember[]): PublicUris {
  const listing = (type: keyof PublicUris): NamedMember[] =>
    members.map(({ id, prefix, [type]: items }) => ({ id, prefix, items }))
  const isPrefixed = (key: string): boolean => fromPublicUri(key) !== null
  const rank = ({ key }: Item): number => (isPrefixed(key) ? 1 : 0)
  function* withPrefix({ prefix }: NamedMember, { key }: Item): Generator<string> {
    // The prefix of the member may be taken where it stood for another member before
    for (let round = 1; ; round++) yield toPublicUri(round === 1 ? prefix : `${prefix}-${round}`, key)
  }

  const claims = new UriClaims()
  const templates = listing('resource_templates')
  for (const { member, key, name } of kept(existing.resource_templates, templates))
    if (name === key) claims.addTemplate(member, key)
  const resources = assign(existing.resources, listing('resources'), rank, function* (member, item) {
    if (!isPrefixed(item.key) && !claims.isUriTaken(member.id, item.key)) yield item.key
    yield* withPrefix(member, item)
  })
  claims.addUris(
    resources.filter(({ key, name }) => key === name).map(({ member, key }) => ({ member, uri: key })),
  )
  const resource_templates = assign(
    existing.resource_templates,
    templates,
    rank,
    function* (member, item) {
      if (!isPrefixed(item.key) && !claims.isTemplateTaken(member.id, item.key)) yield item.key
      yield* withPrefix(member, item)
    },
    ({ member, key, name }) => {
      if (name === key) claims.addTemplate(member, key)
    },
  )
  return { resources, resource_templates }
}

/**
 * A prefix for each member, in their order: the one that it was given before, else the slug of its origin, with a hash behind it
 * where that is the prefix of another member.
 * @param given what is kept of the virtual MCP; prefixes of members that are no more become free
 */
export function prefixesOf(
  members: readonly { readonly id: string; readonly slug: string }[],
  given: Partial<PublicNames> = {},
): string[] {
  const present = new Set(members.map(({ id }) => id))
  const holders = new Map<string, string>()
  const hold = (prefix: string, id: string): void => {
    if (present.has(id) && !holders.has(prefix)) holders.set(prefix, id)
  }
  for (const [id, prefix] of Object.entries(given.prefixes ?? {})) hold(prefix, id)
  for (const { member, key, name } of [...(given.resources ?? []), ...(given.resource_templates ?? [])]) {
    const found = name === key ? null : fromPublicUri(name)
    if (found !== null) hold(found.prefix, member)
  }
  return members.map(({ id, slug }) => {
    const own = given.prefixes
    if (own !== undefined && Object.hasOwn(own, id) && holders.get(own[id]!) === id) return own[id]!
    let prefix = slug
    for (let round = 0; (holders.get(prefix) ?? id) !== id; round++)
      prefix = `${slug}-${hashOf(`${id}\0${round}`)}`
    holders.set(prefix, id)
    return prefix
  })
}

function assign(
  existing: readonly PublicName[],
  members: readonly NamedMember[],
  rank: (item: Item, member: NamedMember) => number,
  candidates: (member: NamedMember, item: Item) => Generator<string>,
  given: (name: PublicName) => void = () => {},
): PublicName[] {
  const names = kept(existing, members)
  const taken = takenBy(names)
  const known = new Set(names.map(({ member, key }) => `${member}\0${key}`))
  for (const member of members) {
    const fresh = [...new Map(member.items.map((item) => [item.key, item])).values()].filter(
      ({ key }) => !known.has(`${member.id}\0${key}`),
    )
    const order = (a: Item, b: Item): number => rank(a, member) - rank(b, member) || (a.key < b.key ? -1 : 1)
    for (const item of fresh.sort(order)) {
      const name = firstFree(candidates(member, item), taken)
      const named = { member: member.id, key: item.key, base: item.base, name }
      taken.add(name)
      names.push(named)
      given(named)
    }
  }
  return names
}

/** What stays of the names that were given before. */
function kept(existing: readonly PublicName[], members: readonly NamedMember[]): PublicName[] {
  const present = new Map(
    members.map(({ id, items }) => [id, new Map(items.map((item) => [item.key, item]))]),
  )
  const isKept = ({ member, key, base }: PublicName): boolean => {
    const items = present.get(member)
    if (items === undefined) return false
    const item = items.get(key)
    return item === undefined || item.base === base
  }
  const isGone = ({ member, key }: PublicName): boolean => !present.get(member)!.has(key)
  const all = existing.filter(isKept)
  let excess = all.filter(isGone).length - GONE_MAX
  return all.filter((one) => !(isGone(one) && excess-- > 0))
}

function firstFree(candidates: Generator<string>, taken: ReadonlySet<string>): string {
  for (const name of candidates) if (!taken.has(name)) return name
  throw new Error('the candidates of a name never end')
}

function withoutDots(name: string): string {
  return name.replaceAll('.', '_')
}

function cleanToolName(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_.-]/gu, '_')
}

/** The name itself if it is neither empty nor too long. */
function shortened(name: string, member: string, key: string): string {
  return name !== '' && name.length <= NAME_CHARS_MAX ? name : withHash(name, member, key)
}

/** The start of the name and a hash of what it names: the same in every virtual MCP with this member. */
function withHash(name: string, member: string, key: string): string {
  const start = name.slice(0, NAME_CHARS_MAX - HASH_CHARS - 1).toWellFormed()
  return `${start}_${hashOf(`${member}\0${key}`)}`
}

function hashOf(text: string): string {
  return hash('sha256', text, 'hex').slice(0, HASH_CHARS)
}
