/**
 * The rules of a capability policy as boxes: what is selected of one type of one member, and the rules after a box was changed. The
 * server decides by the same order: deny rules first, then the first allow rule that fits.
 */
import type { CapabilityType, Item } from './capability.ts'

interface RuleObject {
  readonly match: Readonly<Record<string, unknown>>
  readonly effect?: 'allow' | 'deny' | undefined
  readonly subjects?: unknown
  readonly when?: string | undefined
  readonly projection?: Readonly<Record<string, unknown>> | undefined
}
export type Rule = string | RuleObject
/** Undefined: all items pass. */
export type Rules = readonly Rule[] | undefined

export interface Choice {
  /** `some`: for some callers alone. */
  readonly is: 'on' | 'some' | 'off'
  /** Place of the rule that decides, from 0; null: none does. */
  readonly rule: number | null
  /** The name that a rule gives to the item, or null. */
  readonly rename: string | null
  /** False for an item that a rule about several items denies: a box cannot select it. */
  readonly canChange: boolean
}

/** What the hints of a tool mean where they are absent (MCP specification, ToolAnnotations). */
const HINTS: Readonly<Record<string, boolean>> = {
  readOnlyHint: false,
  destructiveHint: true,
  idempotentHint: false,
  openWorldHint: true,
}

const objectOf = (rule: Rule): RuleObject => (typeof rule === 'string' ? { match: { exact: rule } } : rule)
const isDeny = (rule: Rule): boolean => objectOf(rule).effect === 'deny'
const isConditional = (rule: Rule): boolean => {
  const { subjects, when } = objectOf(rule)
  return subjects !== undefined || when !== undefined
}
const isExact = (rule: Rule, { key }: Item): boolean => objectOf(rule).match['exact'] === key
/** An allow rule for one item and all callers that says nothing more. */
const isPlain = (rule: Rule): boolean =>
  !isDeny(rule) && !isConditional(rule) && objectOf(rule).projection === undefined

function fits(rule: Rule, item: Item): boolean {
  const { match } = objectOf(rule)
  if (typeof match['exact'] === 'string') return match['exact'] === item.key
  if (typeof match['glob'] === 'string') return fitsGlob(match['glob'], textOf(item, match['on']))
  const hint = String(match['annotation'])
  const value = item.annotations[hint]
  return (typeof value === 'boolean' ? value : HINTS[hint]) === match['is']
}

function textOf({ key, name, title, description }: Item, on: unknown): string {
  if (on === 'name') return name
  if (on === 'title') return title
  if (on === 'description') return description
  return key
}

/** True if `*` of the pattern can stand for parts of the text so that both are equal. Takes at most their lengths multiplied. */
export function fitsGlob(pattern: string, text: string): boolean {
  const [first = '', ...rest] = pattern.split('*')
  if (rest.length === 0) return pattern === text
  if (!text.startsWith(first)) return false
  const last = rest.pop()!
  let from = first.length
  for (const part of rest) {
    const at = text.indexOf(part, from)
    if (at < 0) return false
    from = at + part.length
  }
  return text.length - last.length >= from && text.endsWith(last)
}

/** Whether an item is selected, and by which rule. */
export function choiceOf(rules: Rules, item: Item): Choice {
  if (rules === undefined) return { is: 'on', rule: null, rename: null, canChange: true }
  const matching = rules.map((rule, place) => ({ rule, place })).filter(({ rule }) => fits(rule, item))
  const denied = matching.find(({ rule }) => isDeny(rule) && !isConditional(rule))
  if (denied !== undefined)
    return {
      is: 'off',
      rule: denied.place,
      rename: null,
      canChange: matching.every(({ rule }) => !isDeny(rule) || isConditional(rule) || isExact(rule, item)),
    }
  const allows = matching.filter(({ rule }) => !isDeny(rule))
  const [first] = allows
  if (first === undefined) return { is: 'off', rule: null, rename: null, canChange: true }
  const isForAll =
    allows.some(({ rule }) => !isConditional(rule)) && matching.every(({ rule }) => !isDeny(rule))
  const name = objectOf(first.rule).projection?.['name']
  return {
    is: isForAll ? 'on' : 'some',
    rule: first.place,
    rename: typeof name === 'string' ? name : null,
    canChange: true,
  }
}

const ALL: Rule = { match: { glob: '*' } }

/** A list that passes all items is the same as no list. */
function simplified(rules: readonly Rule[]): Rules {
  const [only] = rules
  const isAll =
    rules.length === 1 &&
    only !== undefined &&
    isPlain(only) &&
    objectOf(only).match['glob'] === '*' &&
    (objectOf(only).match['on'] === undefined || objectOf(only).match['on'] === 'name')
  return isAll ? undefined : rules
}

/** The rules with an item selected or not. Rules with conditions and new names stay, so that the box can be set again. */
export function withItem(rules: Rules, item: Item, isOn: boolean): Rules {
  if (isOn) {
    if (rules === undefined) return undefined
    const kept = rules.filter((rule) => !(isDeny(rule) && !isConditional(rule) && isExact(rule, item)))
    const isAllowed = kept.some((rule) => !isDeny(rule) && fits(rule, item))
    return simplified(isAllowed ? kept : [...kept, item.key])
  }
  const kept = (rules ?? [ALL]).filter((rule) => !(isPlain(rule) && isExact(rule, item)))
  const isAllowed = kept.some((rule) => !isDeny(rule) && fits(rule, item))
  return isAllowed ? [...kept, { match: { exact: item.key }, effect: 'deny' }] : kept
}

/** The rules that give an item a name for callers; null: its own name. */
export function withName(rules: Rules, item: Item, name: string | null): Rules {
  const before = rules ?? [ALL]
  const at = before.findIndex((rule) => !isDeny(rule) && !isConditional(rule) && isExact(rule, item))
  const old = at < 0 ? { match: { exact: item.key } } : objectOf(before[at]!)
  const others = before.filter((_, place) => place !== at)
  const { name: _name, ...projection } = old.projection ?? {}
  const next = { ...projection, ...(name !== null && { name }) }
  if (Object.keys(next).length > 0) return [{ ...old, projection: next }, ...others]
  const isAllowed = others.some((rule) => !isDeny(rule) && !isConditional(rule) && fits(rule, item))
  return simplified(isAllowed ? others : [item.key, ...others])
}

/** Whether all items of a type are selected, none or some. */
export function summaryOf(rules: Rules, items: readonly Item[]): 'all' | 'none' | 'some' {
  if (rules === undefined) return 'all'
  if (rules.length === 0) return 'none'
  const choices = items.map((item) => choiceOf(rules, item).is)
  if (choices.length > 0 && choices.every((is) => is === 'off')) return 'none'
  return 'some'
}

/** Words in names of tools that show what should stay where it is. */
const REVEALING = new Set([
  ...['env', 'environ', 'environment', 'secret', 'secrets', 'token', 'tokens', 'password', 'passwords'],
  ...['credential', 'credentials', 'key', 'keys'],
])

/**
 * Why a tool needs a look before callers get it. `writes`: its server does not say that it only reads. `reveals`: by its name it shows
 * settings or secrets of its server.
 */
export function risksOf({ key, annotations }: Item): readonly ('writes' | 'reveals')[] {
  const words = key
    .replaceAll(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z]+/)
  return [
    ...(annotations['readOnlyHint'] === true && annotations['destructiveHint'] !== true
      ? []
      : ['writes' as const]),
    ...(words.some((word) => REVEALING.has(word)) ? ['reveals' as const] : []),
  ]
}

/** Rules that select the tools without a risk by their names: what a server adds later is not among them. */
export function harmless(items: readonly Item[]): readonly Rule[] {
  return items.filter((item) => risksOf(item).length === 0).map(({ key }) => key)
}

/** A rule in words, such as `Items with names like get_*, for some callers`. */
export function sentenceOfRule(rule: Rule, type: CapabilityType): string {
  const { match, effect = 'allow', subjects, when, projection } = objectOf(rule)
  const what =
    typeof match['exact'] === 'string'
      ? match['exact']
      : typeof match['glob'] === 'string'
        ? `${on(match['on'], type)} ${match['glob']}`
        : `${String(match['annotation'])} is ${String(match['is'])}`
  const more = [
    subjects !== undefined && 'for some callers',
    when !== undefined && `when ${when}`,
    projection !== undefined && 'shown differently',
  ].filter((one) => one !== false)
  return [`${effect} ${what}`, ...more].join(', ')
}

function on(member: unknown, type: CapabilityType): string {
  const key = type === 'tools' || type === 'prompts' ? 'name' : 'uri'
  return `${typeof member === 'string' ? member : key} like`
}
