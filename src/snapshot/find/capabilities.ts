/**
 * What callers see of a virtual MCP and may use. Linked once; lists and calls are decided by the same function.
 *
 * Invariants:
 * 1. A call is admitted only if the item is in the caller's list, or would be if its server could be reached. The list has an item if
 *    some arguments may be admitted.
 * 2. A hidden item and one that does not exist give the same object, found by the same steps.
 * 3. An item without a public name, and one that is held back, is hidden from everybody, also under another URI.
 * 4. An item that its caller does not reach is hidden, whatever the policy says.
 * 5. A public URI that Postern gives out leads back to its member and to its URI there.
 * 6. Equal lists are one object. At most {@link LISTS_MAX} of them are kept for each type.
 */
import { textHash } from '../../base/canonical.ts'
import { Lru } from '../../base/lru.ts'
import type { Plain } from '../../base/plain.ts'
import { estimateTokens } from '../../base/token-estimate.ts'
import { CAPABILITY_TYPES, type CapabilityType } from '../../model/capability.ts'
import {
  type Approved,
  type CapabilityKey,
  type Catalogue,
  capabilityHash,
  type Held,
  hashIn,
  heldBack,
  itemsByKey,
} from '../../model/capability-drift.ts'
import type { CapabilityRules, Projection } from '../../model/capability-rules.ts'
import type { PublicNames } from '../../model/public-names.ts'
import { fromPublicUri, toPublicUri } from '../../model/public-uri.ts'
import {
  type Caller,
  type Condition,
  type FactsOf,
  factsBy,
  type SubjectClaims,
  toCondition,
} from './capability-caller.ts'
import { toMatch } from './capability-match.ts'
import { NO_ARGUMENTS, type Visible, viewOf, withPublicApp } from './capability-view.ts'
import type { Reach } from './offered-endpoints.ts'
import { isPlainUri, toUriMatch } from './uri-template.ts'

/** One member of a virtual MCP, with everything that decides about it. */
export interface CapabilityMember {
  readonly id: string
  /** As of `prefixesOf`. */
  readonly prefix: string
  readonly rules: CapabilityRules
  readonly catalogue: Catalogue
  /** Hashes of the catalogue, as of `approvedOf`; made when absent, which takes longer than all else. */
  readonly hashes?: Approved
  /** Null where nothing is held back, such as in a preview of a policy that is not saved. */
  readonly approved: Approved | null
  /** Its server cannot be reached: its items are in no list. What names one of them is decided as before, so that a call can say so. */
  readonly isDown?: boolean
  /** Which of its items a caller reaches beside the policy; absent where all do. */
  readonly reach?: (caller: Caller) => Reach
  /** An item as guardrails leave it; null for one that they leave out, which is hidden from everybody. Absent where none applies. */
  readonly guard?: (type: CapabilityType, item: Plain) => Plain | null
}

export interface VisibleList {
  readonly items: readonly Visible[]
  /** JSON of the array that a list result has. */
  readonly json: string
  /** Estimated tokens of {@link json}. */
  readonly tokens: number
}

/** The answer for what is hidden and for what does not exist. */
export const UNKNOWN = Object.freeze({ kind: 'unknown' } as const)
type Unknown = typeof UNKNOWN

/** The item is listed for the caller, but not for these arguments. */
interface RefusedArguments {
  readonly kind: 'refused'
  readonly item: Visible
  readonly reason: string
}

export type Admission =
  | Unknown
  | RefusedArguments
  | { readonly kind: 'admitted'; readonly item: Visible; readonly arguments: Plain }

export type ReadAdmission =
  | Unknown
  | RefusedArguments
  /** The id of the member, what the URI is there, and the item that admits it: a resource or a template; null for neither. */
  | {
      readonly kind: 'admitted'
      readonly member: string
      readonly uri: string
      readonly item: CapabilityKey | null
    }

/** Which rule decides about an item for a caller, before the arguments of a call are known. */
export interface Explanation {
  readonly shown: boolean
  readonly because: 'passes_all' | 'rule' | 'no_rule' | 'held' | 'unknown'
  /** Place of the rule in the list of its type. */
  readonly rule: number | null
  readonly held: Held | null
}

export interface Capabilities {
  /** What the caller sees of a type; the same object for callers that see the same. */
  visible(caller: Caller, type: CapabilityType): VisibleList
  /** What the caller sees under a public name; null for nothing. */
  find(caller: Caller, type: CapabilityType, name: string): Visible | null
  /** Whether the caller may call a tool or get a prompt with these arguments, and the arguments to send. */
  call(caller: Caller, type: 'tools' | 'prompts', name: string, given: Plain): Admission
  /** Whether the caller may read or subscribe to a URI: a listed resource, or one of a template. */
  read(caller: Caller, uri: string): ReadAdmission
  /**
   * The public URI for a URI of a member, as it stands in contents, links and notifications.
   * @param isQuick leaves out the templates, which take longest: what is not listed then gets a prefix where there are several members
   */
  publicUri(member: string, uri: string, isQuick?: boolean): string
  explain(caller: Caller, type: CapabilityType, name: string): Explanation
}

const CLAIMS: SubjectClaims = { groups: 'groups', roles: 'roles' }
/** Lists of a type whose JSON is kept. */
const LISTS_MAX = 16
/** Combinations of decided rules whose list is known. */
const COMBINATIONS_MAX = 256

/** A rule of one type of one member. */
interface LinkedRule {
  readonly isDeny: boolean
  /** Place in the policy. */
  readonly place: number
  readonly projection: Projection | null
  /** Null for a rule that always applies. */
  readonly condition: Condition | null
  readonly matches: (item: Plain) => boolean
}

interface LinkedItem {
  readonly member: LinkedMember
  readonly type: CapabilityType
  readonly key: string
  readonly name: string
  readonly item: Plain
  readonly held: Held | null
  /** Rules that match the item, deny first; null where the type passes whole. */
  readonly rules: readonly LinkedRule[] | null
  /** As callers see it, by the place of the rule that lets it pass; made when it is first wanted. */
  readonly views: Map<number, Visible>
  /** Of a template. */
  readonly isFor: ((uri: string) => boolean) | null
}

interface LinkedMember {
  readonly id: string
  readonly prefix: string
  readonly rules: Readonly<Record<CapabilityType, readonly LinkedRule[] | null>>
  /** All resources of the catalogue, by their URI at the member. */
  readonly resources: ReadonlyMap<string, LinkedItem | null>
  readonly templates: readonly LinkedItem[]
  /** Templates without a public name. */
  readonly unnamed: readonly ((uri: string) => boolean)[]
  readonly isDown: boolean
  readonly reach: ((caller: Caller) => Reach) | null
  /** The public URI for one of the member; not before all members are linked. */
  readonly toPublicUri: (uri: string) => string
}

/** Which rule lets an item pass, or keeps it back. */
interface Decision {
  readonly isAllowed: boolean
  /** Null where no rule decides. */
  readonly rule: LinkedRule | null
}

const PASSES: Decision = { isAllowed: true, rule: null }
const NO_RULE: Decision = { isAllowed: false, rule: null }

/** Says whether a rule applies; `maybe` counts as applied for an allow rule alone. */
type Applies = (rule: LinkedRule) => boolean

/**
 * Links the policies and catalogues of a virtual MCP.
 * @param names Public names of all members, those that are switched off too.
 * @throws RangeError for rules that cannot be linked.
 */
export function linkCapabilities(
  members: readonly CapabilityMember[],
  names: PublicNames,
  claims: SubjectClaims = CLAIMS,
): Capabilities {
  const facts = factsBy(claims)
  let toPublic: UriSpace['publicUri'] = (_member, uri) => uri
  const linked = members.map((member) => linkMember(member, names, facts, (uri) => toPublic(member.id, uri)))
  const space = uriSpace(
    linked.map(({ member }) => member),
    names,
  )
  toPublic = space.publicUri
  const types = Object.fromEntries(
    CAPABILITY_TYPES.map((type) => [type, indexOf(linked.flatMap(({ items }) => items[type]))]),
  ) as Readonly<Record<CapabilityType, Index>>
  return {
    visible: (caller, type) => types[type].visible(caller),
    find: (caller, type, name) => {
      const item = types[type].byName.get(name)
      return item === undefined ? null : seen(item, caller)
    },
    call: (caller, type, name, given) => {
      const item = types[type].byName.get(name)
      if (item === undefined || seen(item, caller) === null) return UNKNOWN
      return admitted(item, caller, given)
    },
    read: (caller, uri) => {
      const item = types.resources.byName.get(uri)
      if (item === undefined) return space.read(caller, uri)
      return seen(item, caller) === null ? UNKNOWN : readOf(item, item.key, caller)
    },
    publicUri: space.publicUri,
    explain: (caller, type, name) => explained(types[type].byName.get(name), caller),
  }
}

function linkMember(
  { id, prefix, rules, catalogue, hashes, approved, isDown, reach, guard }: CapabilityMember,
  names: PublicNames,
  facts: FactsOf,
  toPublicUri: LinkedMember['toPublicUri'],
): {
  readonly member: LinkedMember
  readonly items: Readonly<Record<CapabilityType, readonly LinkedItem[]>>
} {
  const byType = Object.fromEntries(
    CAPABILITY_TYPES.map((type) => [type, linkRules(type, rules, facts)]),
  ) as Record<CapabilityType, readonly LinkedRule[] | null>
  const resources = new Map<string, LinkedItem | null>()
  const templates: LinkedItem[] = []
  const unnamed: ((uri: string) => boolean)[] = []
  const member: LinkedMember = {
    id,
    prefix,
    rules: byType,
    resources,
    templates,
    unnamed,
    isDown: isDown ?? false,
    reach: reach ?? null,
    toPublicUri,
  }
  const items: Record<CapabilityType, LinkedItem[]> = {
    tools: [],
    prompts: [],
    resources: [],
    resource_templates: templates,
  }
  for (const type of CAPABILITY_TYPES) {
    const own = new Map(names[type].filter((one) => one.member === id).map(({ key, name }) => [key, name]))
    for (const [key, item] of itemsByKey(type, catalogue[type])) {
      const name = own.get(key)
      const shown = guard === undefined ? item : guard(type, item)
      if (name === undefined || shown === null) {
        if (type === 'resources') resources.set(key, null)
        if (type === 'resource_templates') unnamed.push(toUriMatch(key))
        continue
      }
      const hash = (): string => (hashes && hashIn(hashes, type, key)) ?? capabilityHash(type, item)
      const held = approved === null ? null : heldBack(rules, approved, { type, key }, hash)
      const matching = byType[type]?.filter((rule) => rule.matches(item)) ?? null
      const isFor = type === 'resource_templates' ? toUriMatch(key) : null
      const one = { member, type, key, name, item: shown, held, rules: matching, views: new Map(), isFor }
      items[type].push(one)
      if (type === 'resources') resources.set(key, one)
    }
  }
  return { member, items }
}

function linkRules(
  type: CapabilityType,
  rules: CapabilityRules,
  facts: FactsOf,
): readonly LinkedRule[] | null {
  const linked = rules[type]?.map((rule, place): LinkedRule => {
    const { effect, match, projection } = rule
    if (effect !== 'allow' && effect !== 'deny')
      throw new RangeError('a rule has an effect that is not known')
    return {
      isDeny: effect === 'deny',
      place,
      projection,
      condition: toCondition(rule, facts),
      matches: toMatch(type, match),
    }
  })
  return linked?.sort((a, b) => Number(b.isDeny) - Number(a.isDeny) || a.place - b.place) ?? null
}

/** The one decision about an item, for lists and for calls. */
function decide({ held, rules }: LinkedItem, applies: Applies): Decision {
  if (held !== null) return NO_RULE
  return rules === null ? PASSES : decideBy(rules, applies)
}

function decideBy(rules: readonly LinkedRule[], applies: Applies): Decision {
  for (const rule of rules) if (applies(rule)) return { isAllowed: !rule.isDeny, rule }
  return NO_RULE
}

/** How rules apply before the arguments are known: as far as some arguments may be admitted. */
function appliesTo(caller: Caller): Applies {
  return ({ condition, isDeny }) => {
    if (condition === null) return true
    const fit = condition(caller)
    return fit === 'yes' || (fit === 'maybe' && !isDeny)
  }
}

function appliesWith(caller: Caller, given: Plain): Applies {
  return ({ condition }) => condition === null || condition(caller, given) === 'yes'
}

function isReached({ member: { reach }, type, key }: LinkedItem, caller: Caller): boolean {
  return reach === null || reach(caller).has(type, key)
}

/** The item as the caller sees it; null for a hidden one. */
function seen(item: LinkedItem, caller: Caller): Visible | null {
  if (!isReached(item, caller)) return null
  const { isAllowed, rule } = decide(item, appliesTo(caller))
  return isAllowed ? viewUnder(item, rule) : null
}

const WITHOUT_RULE = -1

function viewUnder(item: LinkedItem, rule: LinkedRule | null): Visible {
  const place = rule?.place ?? WITHOUT_RULE
  let view = item.views.get(place)
  if (view === undefined) {
    const { type, key, name, member } = item
    const shown = type === 'tools' ? withPublicApp(item.item, member.toPublicUri) : item.item
    view = viewOf({ type, member: member.id, key, name }, shown, rule?.projection ?? null)
    item.views.set(place, view)
  }
  return view
}

/** Judges the arguments for an item that the caller sees. */
function admitted(item: LinkedItem, caller: Caller, given: Plain): Exclude<Admission, Unknown> {
  const { isAllowed, rule } = decide(item, appliesWith(caller, given))
  if (!isAllowed) return { kind: 'refused', item: seen(item, caller)!, reason: NOT_THESE }
  const view = viewUnder(item, rule)
  for (const name of view.closed)
    if (Object.hasOwn(given, name))
      return {
        kind: 'refused',
        item: view,
        reason: `The capability policy does not let callers set the argument ${JSON.stringify(name)}. Leave it out.`,
      }
  const whole = view.fixed === NO_ARGUMENTS ? given : { ...given, ...view.fixed }
  return { kind: 'admitted', item: view, arguments: whole }
}

const NOT_THESE = 'The capability policy does not allow these arguments.'

function readOf(item: LinkedItem, uri: string, caller: Caller): ReadAdmission {
  const admission = admitted(item, caller, { uri })
  if (admission.kind === 'refused') return admission
  const { type, key, member } = item
  return { kind: 'admitted', member: member.id, uri, item: { type, key } }
}

function explained(item: LinkedItem | undefined, caller: Caller): Explanation {
  if (item === undefined || !isReached(item, caller))
    return { shown: false, because: 'unknown', rule: null, held: null }
  if (item.held !== null) return { shown: false, because: 'held', rule: null, held: item.held }
  if (item.rules === null) return { shown: true, because: 'passes_all', rule: null, held: null }
  const { isAllowed, rule } = decide(item, appliesTo(caller))
  if (rule === null) return { shown: false, because: 'no_rule', rule: null, held: null }
  return { shown: isAllowed, because: 'rule', rule: rule.place, held: null }
}

/** The items of one type. */
interface Index {
  readonly byName: ReadonlyMap<string, LinkedItem>
  visible(caller: Caller): VisibleList
}

/**
 * Lists depend on a caller only by the rules with conditions that match an item. These are asked once for each list, and the list
 * of each combination of their answers is looked up.
 */
function indexOf(items: readonly LinkedItem[]): Index {
  const byName = new Map<string, LinkedItem>()
  for (const item of items) if (!byName.has(item.name)) byName.set(item.name, item)
  const open = [...byName.values()].filter(({ held, member }) => held === null && !member.isDown)
  const conditional = [
    ...new Set(open.flatMap(({ rules }) => rules?.filter((rule) => rule.condition !== null) ?? [])),
  ]
  const reaches = [...new Set(open.flatMap(({ member: { reach } }) => (reach === null ? [] : [reach])))]
  const combinations = new Lru<string, string>(COMBINATIONS_MAX)
  const lists = new Lru<string, VisibleList>(LISTS_MAX)

  const listFor = (
    applies: Applies,
    isOpen: (item: LinkedItem) => boolean,
  ): { readonly key: string; readonly list: VisibleList } => {
    const decisions = open.map((item) => (isOpen(item) ? decide(item, applies) : NO_RULE))
    const key = textHash(
      decisions.map(({ isAllowed, rule }) => (isAllowed ? (rule?.place ?? '*') : '')).join(),
    )
    let list = lists.get(key)
    if (list === undefined) {
      list = listOf(
        open.flatMap((item, at) => (decisions[at]!.isAllowed ? [viewUnder(item, decisions[at]!.rule)] : [])),
      )
      lists.set(key, list)
    }
    return { key, list }
  }
  const always = (): boolean => true
  const constant = conditional.length + reaches.length === 0 ? listFor(always, always).list : null

  return {
    byName,
    visible: (caller) => {
      if (constant !== null) return constant
      const applies = appliesTo(caller)
      const answers = new Map(conditional.map((rule) => [rule, applies(rule)]))
      const combination = [
        conditional.map((rule) => (answers.get(rule)! ? '1' : '0')).join(''),
        ...reaches.map((reach) => reach(caller).id),
      ].join(' ')
      const known = combinations.get(combination)
      const list = known === undefined ? undefined : lists.get(known)
      if (list !== undefined) return list
      const found = listFor(
        (rule) => answers.get(rule) ?? true,
        (item) => isReached(item, caller),
      )
      combinations.set(combination, found.key)
      return found.list
    },
  }
}

/** A list of these items; its JSON is made when it is first wanted. */
export function listOf(items: readonly Visible[]): VisibleList {
  let [json, tokens]: [string | null, number | null] = [null, null]
  return {
    items,
    get json() {
      json ??= JSON.stringify(items.map(({ shown }) => shown))
      return json
    },
    get tokens() {
      tokens ??= estimateTokens(this.json)
      return tokens
    },
  }
}

/** URIs that no list has, and URIs on their way out. */
interface UriSpace {
  read(caller: Caller, uri: string): ReadAdmission
  publicUri: Capabilities['publicUri']
}

/** Unprefixed templates of a member that are asked whether they stand for a URI on its way out. */
const ASKED_MAX = 16
const URI_CHARS_MAX = 2048

function uriSpace(members: readonly LinkedMember[], { resources: given }: PublicNames): UriSpace {
  const byId = new Map(members.map((member) => [member.id, member]))
  // Also of resources that are gone: their URIs mean nothing else
  const holders = new Map(given.map(({ name, member }) => [name, member]))
  const byPrefix = new Map<string, LinkedMember>()
  for (const member of members) {
    // URIs that were published under an earlier prefix go on
    for (const { name, key } of member.templates) {
      const found = fromPublicUri(name)
      if (found !== null && name !== key && !byPrefix.has(found.prefix)) byPrefix.set(found.prefix, member)
    }
  }
  for (const member of members) byPrefix.set(member.prefix, member)
  const isSole = members.length === 1

  const isHeldByAnother = (uri: string, { id }: LinkedMember): boolean => (holders.get(uri) ?? id) !== id
  const unprefixed = new Map(
    members.map((member) => {
      const own = member.templates.filter(({ name, key }) => name === key)
      return [member, own.slice(0, ASKED_MAX)]
    }),
  )
  /** True if the URI without a prefix leads to the member. */
  const mayStay = (member: LinkedMember, uri: string, isQuick: boolean): boolean => {
    if (fromPublicUri(uri) !== null || isHeldByAnother(uri, member)) return false
    if (isSole) return true
    if (isQuick || uri.length > URI_CHARS_MAX) return false
    const holds = (one: LinkedMember): boolean => unprefixed.get(one)!.some(({ isFor }) => isFor!(uri))
    return holds(member) && members.find(holds) === member
  }

  return {
    read: (caller, uri) => {
      const found = fromPublicUri(uri)
      const named = found === null ? undefined : byPrefix.get(found.prefix)
      if (found !== null && named !== undefined) return readAt(named, found.uri, caller, true, true)
      let refused: ReadAdmission = UNKNOWN
      for (const member of members) {
        if (isHeldByAnother(uri, member)) continue
        const answer = readAt(member, uri, caller, false, isSole)
        if (answer.kind === 'admitted') return answer
        if (answer.kind === 'refused' && refused.kind === 'unknown') refused = answer
      }
      return refused
    },
    publicUri: (id, uri, isQuick = false) => {
      const member = byId.get(id)
      if (member === undefined) return uri
      const listed = member.resources.get(uri)
      if (listed !== undefined && listed !== null) return listed.name
      return mayStay(member, uri, isQuick) ? uri : toPublicUri(member.prefix, uri)
    },
  }
}

/**
 * Whether the caller may read a URI that is not a public one of a list.
 * @param uri As the member knows it.
 * @param isPrefixed The caller named the member by its prefix; otherwise only templates without one count.
 * @param isSole No other member could be meant: a URI that no template has is for a member that passes everything.
 */
function readAt(
  member: LinkedMember,
  uri: string,
  caller: Caller,
  isPrefixed: boolean,
  isSole: boolean,
): ReadAdmission {
  const listed = member.resources.get(uri)
  // What the catalogue has is decided by its own rules, under whatever URI it is asked for
  if (listed !== undefined)
    return listed === null || !isPrefixed || seen(listed, caller) === null
      ? UNKNOWN
      : readOf(listed, uri, caller)
  if (!passesUnlisted(member, uri, caller)) return UNKNOWN
  let isOpen = isSole && member.rules.resources === null && member.rules.resource_templates === null
  let refused: ReadAdmission = UNKNOWN
  for (const template of member.templates) {
    if (!(isPrefixed || template.name === template.key) || !template.isFor!(uri)) continue
    if (seen(template, caller) === null) {
      isOpen = false
      continue
    }
    const answer = readOf(template, uri, caller)
    if (answer.kind === 'admitted') return answer
    if (refused.kind === 'unknown') refused = answer
  }
  isOpen &&= !member.unnamed.some((isFor) => isFor(uri))
  return isOpen ? { kind: 'admitted', member: member.id, uri, item: null } : refused
}

/**
 * Deny rules of resources hold for URIs of templates too. Where some resource may be hidden, no spelling of a URI evades that.
 */
function passesUnlisted(member: LinkedMember, uri: string, caller: Caller): boolean {
  const rules = member.rules.resources
  const mayHide = rules !== null || [...member.resources.values()].some((item) => item?.held !== null)
  if (mayHide && !isPlainUri(uri)) return false
  const applies = appliesWith(caller, { uri })
  return !rules?.some((rule) => rule.isDeny && rule.matches({ uri }) && applies(rule))
}
