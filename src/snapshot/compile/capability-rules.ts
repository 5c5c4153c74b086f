import type { Program } from '../../base/expression/expression.ts'
import {
  CAPABILITY_TYPES,
  CAPABILITY_VARIABLES,
  type CapabilityMatch,
  type CapabilityRule,
  type CapabilityRules,
  type CapabilitySelection,
} from '../../model/mcp/capability.ts'
import type { CapabilityPolicy, CapabilitySubset } from '../../model/mcp/capability-policy.ts'
import { conditionReader } from '../../model/workflow/expression.ts'

const readCondition = conditionReader(CAPABILITY_VARIABLES)

type Entry = NonNullable<CapabilityPolicy['tools']>[number]

/**
 * The rules of a policy whose references are ids.
 * @throws RangeError for an expression that cannot be read, such as one saved by another version.
 */
export function rulesOf(policy: CapabilityPolicy): CapabilityRules {
  const { pin, new_items } = policy
  const lists = CAPABILITY_TYPES.flatMap((type) => {
    const entries = policy[type]
    return entries === undefined ? [] : [[type, entries.map(ruleOf)] as const]
  })
  return { pin, new_items, ...Object.fromEntries(lists) }
}

/** The entries of a subset as matches. */
export function selectionOf(subset: CapabilitySubset): CapabilitySelection {
  const lists = CAPABILITY_TYPES.flatMap((type) => {
    const entries = subset[type]
    return entries === undefined ? [] : [[type, entries.map(selected)] as const]
  })
  return Object.fromEntries(lists)
}

function selected(entry: NonNullable<CapabilitySubset['tools']>[number]): CapabilityMatch {
  if (typeof entry !== 'string') return matchOf(entry)
  return entry.includes('*') ? { glob: entry, on: 'key' } : { exact: entry }
}

function matchOf(match: Exclude<Entry, string>['match']): CapabilityMatch {
  return 'glob' in match ? { glob: match.glob, on: match.on ?? 'key' } : match
}

function ruleOf(entry: Entry): CapabilityRule {
  if (typeof entry === 'string')
    return { match: { exact: entry }, effect: 'allow', subjects: null, when: null, projection: null }
  const { match, effect, subjects, when, projection } = entry
  return {
    match: matchOf(match),
    effect,
    subjects: subjects === undefined ? null : present(subjects),
    when: when === undefined ? null : programOf(when),
    projection: projection === undefined ? null : present(projection),
  }
}

/** The object without members that are undefined, which fragments cannot hold. */
function present<T extends object>(object: T): { [K in keyof T]: NonNullable<T[K]> } {
  const members = Object.entries(object).filter(([, value]) => value !== undefined)
  // The same members, each with its value
  return Object.fromEntries(members) as { [K in keyof T]: NonNullable<T[K]> }
}

function programOf(text: string): Program {
  const read = readCondition(text)
  if ('program' in read) return read.program
  throw new RangeError(`the condition "${text}" cannot be read: ${read.reason}`)
}
