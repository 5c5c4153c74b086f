/** Decides about one item for one caller. Lists, calls, completions, reads and subscriptions all ask here. */
import { joined, withoutDigits } from '../../base/json/exact.ts'
import { isPlain, type Plain } from '../../base/json/storable.ts'
import { type CapabilityType, KEY_OF, type Projection } from '../../model/mcp/capability.ts'
import type { Held } from '../../model/mcp/capability-drift.ts'
import {
  type Admission,
  type Caller,
  type Condition,
  type Explanation,
  type ReadAdmission,
  UNKNOWN,
  type Unknown,
} from './capability-caller.ts'
import { NO_ARGUMENTS, type Visible, viewOf, withPublicApp } from './capability-view.ts'
import { type DeclaredNames, flatNames, namesIn } from './declared-names.ts'
import type { Reach } from './offered-endpoints.ts'
import { templateNames } from './uri-template.ts'

/** A rule of one type of one member. */
export interface LinkedRule {
  readonly isDeny: boolean
  /** Place in the policy. */
  readonly place: number
  readonly projection: Projection | null
  /** Null for a rule that always applies. */
  readonly condition: Condition | null
  readonly matches: (item: Plain) => boolean
}

export interface LinkedItem {
  readonly member: LinkedMember
  readonly type: CapabilityType
  readonly key: string
  readonly name: string
  /** As of `PublicName`; null without one. */
  readonly alias: string | null
  readonly item: Plain
  /** As of `Visible`. */
  readonly execution: unknown
  readonly held: Held | null
  /** Rules that match the item, deny first; null where the type passes whole. */
  readonly rules: readonly LinkedRule[] | null
  /** A condition of its rules sees the arguments of a call. */
  readonly isByArguments: boolean
  /** As callers see it, by the place of the rule that lets it pass; made when it is first wanted. */
  readonly views: Map<number, Visible>
  /** As of `findingOf` and `nameFinding`; null for an item that fits the specification and model APIs. */
  readonly finding: string | null
  /** Names of arguments that the server declares. */
  readonly names: DeclaredNames
  /** Of a template. */
  readonly isFor: ((uri: string) => boolean) | null
}

export interface LinkedMember {
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
export const NO_RULE: Decision = { isAllowed: false, rule: null }

/** Says whether a rule applies; `maybe` counts as applied for an allow rule alone. */
export type Applies = (rule: LinkedRule) => boolean

/** The one decision about an item, for lists and for calls. */
export function decide({ held, rules }: LinkedItem, applies: Applies): Decision {
  if (held !== null) return NO_RULE
  return rules === null ? PASSES : decideBy(rules, applies)
}

function decideBy(rules: readonly LinkedRule[], applies: Applies): Decision {
  for (const rule of rules) if (applies(rule)) return { isAllowed: !rule.isDeny, rule }
  return NO_RULE
}

/** How rules apply before the arguments are known: as far as some arguments may be admitted. */
export function appliesTo(caller: Caller): Applies {
  return ({ condition, isDeny }) => {
    if (condition === null) return true
    const fit = condition(caller)
    return fit === 'yes' || (fit === 'maybe' && !isDeny)
  }
}

export function appliesWith(caller: Caller, given: Plain): Applies {
  return ({ condition }) => condition === null || condition(caller, given) === 'yes'
}

export function isReached({ member: { reach }, type, key }: LinkedItem, caller: Caller): boolean {
  return reach === null || reach(caller).has(type, key)
}

/** The item as the caller sees it; null for a hidden one. */
export function seen(item: LinkedItem, caller: Caller): Visible | null {
  if (!isReached(item, caller)) return null
  const { isAllowed, rule } = decide(item, appliesTo(caller))
  return isAllowed ? viewUnder(item, rule) : null
}

const WITHOUT_RULE = -1

export function viewUnder(item: LinkedItem, rule: LinkedRule | null): Visible {
  const place = rule?.place ?? WITHOUT_RULE
  let view = item.views.get(place)
  if (view === undefined) {
    const { type, key, name, alias, member, execution } = item
    const shown = type === 'tools' ? withPublicApp(item.item, member.toPublicUri) : item.item
    view = viewOf({ type, member: member.id, key, name, execution }, shown, rule?.projection ?? null)
    if (alias !== null) view = { ...view, alias }
    item.views.set(place, view)
  }
  return view
}

/** Judges the arguments for an item that the caller sees. */
export function admitted(item: LinkedItem, caller: Caller, given: Plain): Exclude<Admission, Unknown> {
  // Of resources and templates the one argument is the URI, which Postern gives
  const misspelt = KEY_OF[item.type] === 'name' ? item.names.fault(given) : null
  if (misspelt !== null) return { kind: 'misspelt', ...misspelt }
  const { isAllowed, rule } = decide(item, appliesWith(caller, given))
  if (!isAllowed) return { kind: 'refused', item: seen(item, caller)!, reason: NOT_THESE }
  const view = viewUnder(item, rule)
  const closed = closedIn(item, view, given)
  if (closed !== null)
    return {
      kind: 'refused',
      item: view,
      reason: `The capability policy does not let callers set the argument ${JSON.stringify(closed)}. Leave it out.`,
    }
  // Conditions decide by doubles, so that doubles are what they admit
  const seenAs = item.isByArguments ? withoutDigits(given) : given
  const whole = view.fixed === NO_ARGUMENTS ? seenAs : joined(seenAs, view.fixed)
  return { kind: 'admitted', item: view, arguments: whole }
}

/** The closed argument that is given, in whatever spelling; null without one. */
function closedIn({ names }: LinkedItem, { closed }: Visible, given: Plain): string | null {
  if (closed.size === 0) return null
  for (const name of Object.keys(given)) {
    if (closed.has(name)) return name
    const meant = closed.declaredFor(name)
    if (meant !== null && !names.declares(name)) return meant
  }
  return null
}

/** The names of arguments that an item declares. */
export function namesOf(type: CapabilityType, item: Plain): DeclaredNames {
  if (type === 'tools') return namesIn(item['inputSchema'])
  if (type === 'resource_templates') return flatNames(templateNames(String(item['uriTemplate'])))
  const listed = type === 'prompts' && Array.isArray(item['arguments']) ? item['arguments'] : []
  return flatNames(
    listed.flatMap((one: unknown) => (isPlain(one) && typeof one['name'] === 'string' ? [one['name']] : [])),
  )
}

const NOT_THESE = 'The capability policy does not allow these arguments.'

export function readOf(item: LinkedItem, uri: string, caller: Caller): ReadAdmission {
  const admission = admitted(item, caller, { uri })
  if (admission.kind === 'misspelt') return UNKNOWN
  if (admission.kind === 'refused') return admission
  const { type, key, member } = item
  return { kind: 'admitted', member: member.id, uri, item: { type, key } }
}

export function explained(item: LinkedItem | undefined, caller: Caller): Explanation {
  if (item === undefined || !isReached(item, caller)) return NOWHERE
  const { finding } = item
  if (item.held !== null) return { ...NOWHERE, because: 'held', held: item.held, finding }
  if (item.rules === null) return { ...NOWHERE, shown: true, because: 'passes_all', finding }
  const { isAllowed, rule } = decide(item, appliesTo(caller))
  if (rule === null) return { ...NOWHERE, because: 'no_rule', finding }
  return { ...NOWHERE, shown: isAllowed, because: 'rule', rule: rule.place, finding }
}

export const NOWHERE: Explanation = {
  shown: false,
  because: 'unknown',
  rule: null,
  held: null,
  finding: null,
}
