/**
 * Public names of capabilities: what clients of a virtual MCP call tools and prompts, and read resources by.
 *
 * Invariants:
 * 1. A name is fixed once it is given, also while its item is gone. It changes only with the name that the policy projects.
 * 2. No two items of a type have the same name.
 * 3. Names of tools and prompts have 1 to 60 characters; those of tools are of `A-Za-z0-9_.-`.
 * 4. New items get the same names in whatever order a member lists them.
 */
import { hash } from 'node:crypto'
import { fromPublicUri, toPublicUri } from './public-uri.ts'

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
}

export interface NamedMember {
  readonly id: string
  /** As of {@link prefixesOf}. */
  readonly prefix: string
  readonly items: readonly { readonly key: string; readonly base: string }[]
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
  // Names that stand as they are come first: they win over those that cleaning makes equal
  const rank = ({ base }: Item): number => (clean(base) === base ? 0 : 1)
  return assign(existing, members, rank, function* ({ prefix, id }, { key, base }) {
    const plain = clean(base)
    if (mode === 'auto') yield shortened(plain, id, key)
    const prefixed = `${prefix}_${plain}`
    yield shortened(prefixed, id, key)
    for (let round = 0; ; round++) yield withHash(prefixed, id, `${key}\0${round}`)
  })
}

/**
 * Gives new resources or templates their URIs. A resource keeps its own while no other item has it. With several members a new
 * template always has a prefix: two templates that differ may stand for the same URI. A URI that looks prefixed gets a prefix
 * too, so that no text means two things.
 */
export function assignUris(
  type: 'resources' | 'resource_templates',
  existing: readonly PublicName[],
  members: readonly NamedMember[],
): PublicName[] {
  const mayStay = type === 'resources' || members.length <= 1
  const rank = ({ key }: Item): number => (fromPublicUri(key) === null ? 0 : 1)
  return assign(existing, members, rank, function* ({ prefix }, { key }) {
    if (mayStay && fromPublicUri(key) === null) yield key
    // The prefix of the member may be taken where it stood for another member before
    for (let round = 1; ; round++) yield toPublicUri(round === 1 ? prefix : `${prefix}-${round}`, key)
  })
}

/**
 * A prefix for each member, in their order: the slug of its origin, with a hash behind it where an earlier member has the same
 * origin.
 */
export function prefixesOf(members: readonly { readonly id: string; readonly slug: string }[]): string[] {
  const taken = new Set<string>()
  return members.map(({ id, slug }) => {
    let prefix = slug
    for (let round = 0; taken.has(prefix); round++) prefix = `${slug}-${hashOf(`${id}\0${round}`)}`
    taken.add(prefix)
    return prefix
  })
}

type Item = NamedMember['items'][number]

function assign(
  existing: readonly PublicName[],
  members: readonly NamedMember[],
  rank: (item: Item) => number,
  candidates: (member: NamedMember, item: Item) => Generator<string>,
): PublicName[] {
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
  const names = all.filter((one) => !(isGone(one) && excess-- > 0))
  const taken = new Set(names.map(({ name }) => name))
  const known = new Set(names.map(({ member, key }) => `${member}\0${key}`))
  for (const member of members) {
    const fresh = [...present.get(member.id)!.values()].filter(
      ({ key }) => !known.has(`${member.id}\0${key}`),
    )
    const order = (a: Item, b: Item): number => rank(a) - rank(b) || (a.key < b.key ? -1 : 1)
    for (const item of fresh.sort(order)) {
      const name = firstFree(candidates(member, item), taken)
      taken.add(name)
      names.push({ member: member.id, key: item.key, base: item.base, name })
    }
  }
  return names
}

function firstFree(candidates: Generator<string>, taken: ReadonlySet<string>): string {
  for (const name of candidates) if (!taken.has(name)) return name
  throw new Error('the candidates of a name never end')
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
