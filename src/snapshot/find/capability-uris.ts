/** URIs that are in no list of a virtual MCP, and the translation of URIs to public ones. */
import { isPlain, type Plain } from '../../base/json/storable.ts'
import { toGlob } from '../../base/text/patterns.ts'
import {
  type CapabilityMatch,
  type CapabilityRules,
  type CapabilityType,
  HINT_DEFAULTS,
  KEY_OF,
  type MatchField,
} from '../../model/mcp/capability.ts'
import { itemsByKey } from '../../model/mcp/capability-drift.ts'
import { fromPublicUri, type PublicNames, toPublicUri } from '../../model/mcp/public-names.ts'
import {
  type Admission,
  type Caller,
  type Capabilities,
  type ReadAdmission,
  UNKNOWN,
} from './capability-caller.ts'
import {
  admitted,
  appliesWith,
  type LinkedItem,
  type LinkedMember,
  readOf,
  seen,
} from './capability-judge.ts'
import { expandedUri, isPlainUri } from './uri-template.ts'

/** URIs that no list has, and URIs on their way out. */
export interface UriSpace {
  read(caller: Caller, uri: string): ReadAdmission
  publicUri: Capabilities['publicUri']
}

/** Unprefixed templates of a member that are asked whether they stand for a URI on its way out. */
const ASKED_MAX = 16
const URI_CHARS_MAX = 2048

export function uriSpace(members: readonly LinkedMember[], { resources: given }: PublicNames): UriSpace {
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
 * Deny rules of resources hold for URIs of templates too. Where something may be hidden, or a condition looks at URIs, no spelling of a URI
 * evades that.
 */
function passesUnlisted(member: LinkedMember, uri: string, caller: Caller): boolean {
  const rules = member.rules.resources
  const isHeld = (item: LinkedItem | null): boolean => item === null || item.held !== null
  const mayHide =
    rules !== null ||
    member.rules.resource_templates !== null ||
    member.unnamed.length > 0 ||
    [...member.resources.values()].some(isHeld) ||
    member.templates.some(isHeld)
  if (mayHide && !isPlainUri(uri)) return false
  const applies = appliesWith(caller, { uri })
  return !rules?.some((rule) => rule.isDeny && rule.matches({ uri }) && applies(rule))
}

/** Whether the caller may ask for values of a variable of a template: for the URI that the given values make. */
export function completedTemplate(
  item: LinkedItem,
  caller: Caller,
  given: Plain,
): Exclude<Admission, { kind: 'unknown' }> {
  const view = seen(item, caller)!
  const refused = { kind: 'refused', item: view, reason: UNDECIDED } as const
  const misspelt = item.names.fault(given)
  if (misspelt !== null) return { kind: 'misspelt', ...misspelt }
  const texts = new Map(
    Object.entries(given).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])),
  )
  const uri = expandedUri(item.key, texts)
  if (uri === null)
    return item.rules?.some(({ condition }) => condition !== null) === true
      ? refused
      : { kind: 'admitted', item: view, arguments: given }
  const listed = item.member.resources.get(uri)
  const isHidden = listed === null || (listed !== undefined && seen(listed, caller) === null)
  if (isHidden || !passesUnlisted(item.member, uri, caller)) return refused
  const admission = admitted(item, caller, { uri })
  return admission.kind === 'admitted' ? { ...admission, arguments: given } : admission
}

const UNDECIDED =
  'The capability policy does not allow these values, or needs all variables of the template to decide.'

/**
 * What the public names of items are made of: the name that the first allow rule with a name projects, else what the server calls
 * the item. It does not depend on callers: an item has one public name.
 */
export function basesOf(
  type: CapabilityType,
  rules: CapabilityRules,
  items: readonly Plain[],
): { readonly key: string; readonly base: string }[] {
  const naming =
    KEY_OF[type] === 'name'
      ? (rules[type] ?? []).flatMap(({ effect, match, projection }) =>
          effect === 'allow' && projection?.name !== undefined
            ? [{ name: projection.name, matches: toMatch(type, match) }]
            : [],
        )
      : []
  return [...itemsByKey(type, items)].map(([key, item]) => ({
    key,
    base: naming.find(({ matches }) => matches(item))?.name ?? key,
  }))
}

/** A question to an item as its server lists it. Members that are no text fit nothing. */
export function toMatch(type: CapabilityType, match: CapabilityMatch): (item: Plain) => boolean {
  if ('exact' in match) return (item) => item[KEY_OF[type]] === match.exact
  if ('glob' in match) {
    const { on } = match
    const fits = toGlob(match.glob)
    return (item) => {
      const value = fieldOf(type, item, on)
      return typeof value === 'string' && fits(value)
    }
  }
  const { annotation, is } = match
  return ({ annotations }) => {
    const hint =
      isPlain(annotations) && Object.hasOwn(annotations, annotation) ? annotations[annotation] : null
    return (typeof hint === 'boolean' ? hint : HINT_DEFAULTS[annotation]) === is
  }
}

function fieldOf(type: CapabilityType, item: Plain, on: MatchField | 'key'): unknown {
  if (on === 'key' || on === 'uri') return item[KEY_OF[type]]
  // Tools of older revisions have their title among the annotations
  if (on === 'title' && item['title'] === undefined && isPlain(item['annotations']))
    return item['annotations']['title']
  return item[on]
}
