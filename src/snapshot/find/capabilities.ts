/**
 * What callers see of a virtual MCP and may use. It is linked once. One function decides about lists and calls.
 *
 * Invariants:
 *
 * 1. A call is admitted only if the item is in the caller's list, or would be if its server could be reached. The list
 *    contains an item if the policy may admit some arguments.
 * 2. A hidden item and one that does not exist give the same object, found by the same steps.
 * 3. An item without a public name, and one that is held back, is hidden from everybody, also under another URI. Metadata
 *    without an approval is left out of its item.
 * 4. An item that its caller does not reach is hidden, whatever the policy says.
 * 5. A public URI that Postern gives out leads back to its member and to its URI there.
 * 6. Equal lists are one object. At most {@link LISTS_MAX} of them are kept for each type.
 * 7. An item that does not fit the schema of the client's era is repaired, or hidden from the clients of that era.
 */
import { textHash } from '../../base/json/canonical.ts'
import type { Plain } from '../../base/json/storable.ts'
import { Lru } from '../../base/memory/lru.ts'
import { estimateTokens } from '../../base/text/token-estimate.ts'
import { CAPABILITY_TYPES, type CapabilityRules, type CapabilityType } from '../../model/mcp/capability.ts'
import {
  type Approved,
  approvalOf,
  type Catalogue,
  coversMetadata,
  deliveredItem,
  hashIn,
  heldBack,
  itemsByKey,
} from '../../model/mcp/capability-drift.ts'
import { type Era, findingOf, fitItem, nameFinding } from '../../model/mcp/listed-item.ts'
import type { PublicNames } from '../../model/mcp/public-names.ts'
import {
  type Caller,
  type Capabilities,
  type FactsOf,
  factsBy,
  type SubjectClaims,
  toCondition,
  UNKNOWN,
  type VisibleList,
} from './capability-caller.ts'
import {
  type Applies,
  admitted,
  appliesTo,
  decide,
  explained,
  isReached,
  type LinkedItem,
  type LinkedMember,
  type LinkedRule,
  NO_RULE,
  NOWHERE,
  namesOf,
  readOf,
  seen,
  viewUnder,
} from './capability-judge.ts'
import { completedTemplate, toMatch, type UriSpace, uriSpace } from './capability-uris.ts'
import type { Visible } from './capability-view.ts'
import type { Reach } from './offered-endpoints.ts'
import { toUriMatch } from './uri-template.ts'

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

const CLAIMS: SubjectClaims = { groups: 'groups', roles: 'roles' }
/** Lists of a type whose JSON is kept. */
const LISTS_MAX = 16
/** Combinations of decided rules whose list is known. */
const COMBINATIONS_MAX = 256

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
  return linkFor('modern', members, names, factsBy(claims))
}

function linkFor(
  era: Era,
  members: readonly CapabilityMember[],
  names: PublicNames,
  facts: FactsOf,
): Capabilities {
  let toPublic: UriSpace['publicUri'] = (_member, uri) => uri
  const linked = members.map((member) =>
    linkMember(member, names, facts, era, (uri) => toPublic(member.id, uri)),
  )
  const space = uriSpace(
    linked.map(({ member }) => member),
    names,
  )
  toPublic = space.publicUri
  const types = Object.fromEntries(
    CAPABILITY_TYPES.map((type) => [type, indexOf(linked.flatMap(({ items }) => items[type]))]),
  ) as Readonly<Record<CapabilityType, Index>>
  const hasOther = era === 'modern' && linked.some(({ differs }) => differs)
  let legacy: Capabilities | null = null
  const capabilities: Capabilities = {
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
    complete: (caller, type, name, given) => {
      const item = types[type].byName.get(name)
      if (item === undefined || seen(item, caller) === null) return UNKNOWN
      return type === 'prompts' ? admitted(item, caller, given) : completedTemplate(item, caller, given)
    },
    read: (caller, uri) => {
      const item = types.resources.byName.get(uri)
      if (item === undefined) return space.read(caller, uri)
      return seen(item, caller) === null ? UNKNOWN : readOf(item, item.key, caller)
    },
    publicUri: space.publicUri,
    isHeld: (caller, type, name) => {
      const item = types[type].byName.get(name)
      return item !== undefined && item.held !== null && seen({ ...item, held: null }, caller) !== null
    },
    explain(caller, type, name) {
      const explanation = explained(types[type].byName.get(name), caller)
      if (explanation.because !== 'unknown') return explanation
      const finding = linked.map(({ leftOut }) => leftOut[type].get(name)).find((one) => one !== undefined)
      return finding === undefined ? explanation : { ...NOWHERE, because: 'invalid', finding }
    },
    get legacy() {
      legacy ??= hasOther ? linkFor('legacy', members, names, facts) : capabilities
      return legacy
    },
  }
  return capabilities
}

function linkMember(
  { id, prefix, rules, catalogue, hashes, approved, isDown, reach, guard }: CapabilityMember,
  names: PublicNames,
  facts: FactsOf,
  era: Era,
  toPublicUri: LinkedMember['toPublicUri'],
): {
  readonly member: LinkedMember
  readonly items: Readonly<Record<CapabilityType, readonly LinkedItem[]>>
  /** Findings about items that are left out, by type and public name. */
  readonly leftOut: Readonly<Record<CapabilityType, ReadonlyMap<string, string>>>
  /** Items differ for clients of the other era. */
  readonly differs: boolean
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
  const leftOut = {
    tools: new Map(),
    prompts: new Map(),
    resources: new Map(),
    resource_templates: new Map(),
  }
  let differs = false
  for (const type of CAPABILITY_TYPES) {
    const own = new Map(names[type].filter((one) => one.member === id).map((one) => [one.key, one]))
    for (const [key, item] of itemsByKey(type, catalogue[type])) {
      const { name, alias = null } = own.get(key) ?? {}
      const guarded = guard === undefined ? item : guard(type, item)
      const delivered = guarded && deliveredItem(rules, approved, { type, key }, guarded)
      const fitted = delivered && fitItem(type, delivered)
      const finding = fitted && findingOf(fitted)
      const shown = fitted?.[era].item ?? null
      differs ||= fitted !== null && fitted.modern !== fitted.legacy
      if (name !== undefined && fitted !== null && shown === null) leftOut[type].set(name, finding!)
      if (name === undefined || shown === null) {
        if (type === 'resources') resources.set(key, null)
        if (type === 'resource_templates') unnamed.push(toUriMatch(key))
        continue
      }
      const hash = (): string => {
        const known = hashes && hashIn(hashes, type, key)
        // Hashes of an earlier version do not cover metadata
        return known !== undefined && coversMetadata(known) ? known : approvalOf(type, item)
      }
      const held = approved === null ? null : heldBack(rules, approved, { type, key }, hash)
      const matching = byType[type]?.filter((rule) => rule.matches(item)) ?? null
      const isByArguments = matching?.some(({ place }) => rules[type]?.[place]?.when !== null) ?? false
      const isFor = type === 'resource_templates' ? toUriMatch(key) : null
      const one = {
        member,
        type,
        key,
        name,
        alias,
        item: shown,
        execution: item['execution'],
        held,
        rules: matching,
        isByArguments,
        views: new Map(),
        finding: finding ?? nameFinding(type, name),
        isFor,
        names: namesOf(type, item),
      }
      items[type].push(one)
      if (type === 'resources') resources.set(key, one)
    }
  }
  return { member, items, leftOut, differs }
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
  const listed = [...byName.values()]
  for (const item of items) if (item.alias !== null && !byName.has(item.alias)) byName.set(item.alias, item)
  const open = listed.filter(({ held, member }) => held === null && !member.isDown)
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
