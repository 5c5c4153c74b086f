import { listedTexts, type Plain } from '../../base/json/storable.ts'
import { withoutEndSlashes } from '../../base/text/url.ts'
import { BasePath, CollectionSpec } from '../../model/api/collection.ts'
import { HTTP_METHODS } from '../../model/http-names.ts'
import type { HttpMethod } from '../../model/members.ts'
import { isText, nameOf, oddLists, ROUTE_MEMBERS, unknownMembers } from './members.ts'

/** A path that a route answers, or would answer. */
export interface RoutePath {
  readonly text: string
  /** Base path of its collection; null where the path cannot be one. */
  readonly base: string | null
  /** Text with which every path that it matches begins. */
  readonly prefix: string
  readonly isPattern: boolean
  /** The base itself is not answered, only what lies below. */
  readonly isBelowOnly: boolean
}

/** A route as far as it can be read. */
export interface ReadRoute {
  readonly name: string
  readonly paths: readonly RoutePath[]
  /** Empty for all. */
  readonly hosts: readonly string[]
  readonly methods: readonly HttpMethod[]
  readonly namesMethods: boolean
  readonly isStripped: boolean
  readonly keepsHost: boolean
  /** Why nothing of it can be carried over; null where something can. */
  readonly leftOut: string | null
  /**
   * Callers could avoid it by what they send beside the path, such as a header. Then what lies under its paths was reachable
   * past it before, too.
   */
  readonly isAvoidable: boolean
  /** Why it is not published. */
  readonly reasons: readonly string[]
  readonly notes: readonly string[]
}

const HOSTS_MAX = 50

/** Reads a route. @param isRegexPlain true before version 3, where a path was a pattern without being marked as one */
export function readRoute(route: Plain, isRegexPlain: boolean): ReadRoute {
  const notes: string[] = []
  const reasons: string[] = []
  const unknown = unknownMembers(route, ROUTE_MEMBERS)
  const matchers = unknown.filter((member) => MATCHERS.has(member))
  const others = unknown.filter((member) => !MATCHERS.has(member))
  if (others.length > 0) reasons.push(`${others.join(', ')} is not carried over`)
  const odd = oddLists(route, ['protocols', 'methods', 'hosts', 'paths'], isText)
  if (odd.length > 0) reasons.push(`${odd.join(', ')} is not a list of texts`)
  if (route['path_handling'] === 'v1') reasons.push('path_handling v1 is not carried over')
  for (const [member, usual] of BUFFERING)
    if (route[member] != null && route[member] !== usual) notes.push(`${member} is left out`)

  const protocols = route['protocols'] == null ? ['http', 'https'] : listedTexts(route['protocols'])
  if (!protocols.includes('http')) reasons.push('it accepts only https, which a collection cannot express')
  const isHttp = protocols.includes('http') || protocols.includes('https')

  const namedHosts = listedTexts(route['hosts'])
  const hosts = namedHosts
    .map((host) => host.toLowerCase())
    .filter((host) => {
      if (CollectionSpec.shape.hosts.safeParse([host]).success) return true
      notes.push(`host ${host} is left out: write out the names, without a port`)
      return false
    })
  const namedMethods = listedTexts(route['methods']).map((method) => method.toUpperCase())
  const methods = HTTP_METHODS.filter((method) => namedMethods.length === 0 || namedMethods.includes(method))
  const foreign = namedMethods.filter((method) => !HTTP_METHODS.some((one) => one === method))
  if (foreign.length > 0) notes.push(`methods ${foreign.join(', ')} are left out`)

  const named = listedTexts(route['paths'])
  return {
    name: nameOf(route),
    paths: named.length === 0 ? [NO_PATH] : named.map((path) => readPath(path, isRegexPlain)),
    hosts,
    methods,
    namesMethods: namedMethods.length > 0,
    isStripped: route['strip_path'] !== false,
    keepsHost: route['preserve_host'] === true,
    leftOut: leftOutOf(),
    isAvoidable: matchers.some((member) => AVOIDABLE.has(member)),
    reasons,
    notes,
  }

  function leftOutOf(): string | null {
    if (matchers.length > 0) return `it matches by ${matchers.join(', ')}`
    if (!isHttp) return `its protocols are ${protocols.join(', ') || 'empty'}`
    if (named.length === 0) return 'it has no paths'
    if (namedHosts.length > 0 && hosts.length === 0) return 'it has no host that can be carried over'
    if (hosts.length > HOSTS_MAX) return `it has more than ${HOSTS_MAX} hosts`
    if (methods.length === 0) return 'it has no method that exists here'
    return null
  }
}

/** Members by which a route matches, beside path, host and method. */
const MATCHERS: ReadonlySet<string> = new Set([
  'headers',
  'snis',
  'sources',
  'destinations',
  'expression',
  'priority',
])
const AVOIDABLE: ReadonlySet<string> = new Set(['headers', 'snis'])
const BUFFERING = [
  ['request_buffering', true],
  ['response_buffering', true],
  ['regex_priority', 0],
] as const

const NO_PATH: RoutePath = { text: '/', base: null, prefix: '/', isPattern: false, isBelowOnly: false }

/** Characters of a path that was no pattern before version 3 of Kong. */
const PLAIN_PATH = /^[A-Za-z0-9._~/%-]*$/

function readPath(text: string, isRegexPlain: boolean): RoutePath {
  const isPattern = text.startsWith('~') || (isRegexPlain && !PLAIN_PATH.test(text))
  const base = withoutEndSlashes(text)
  const isBase = !isPattern && BasePath.safeParse(base).success
  return {
    text,
    base: isBase ? base : null,
    prefix: isPattern ? literalOf(text) : text,
    isPattern,
    isBelowOnly: text.endsWith('/'),
  }
}

/** The text before the first part of a pattern that may be anything. */
function literalOf(pattern: string): string {
  const source = pattern.replace(/^~/, '').replace(/^\^/, '')
  if (source.includes('|')) return ''
  const end = source.search(/[\\.*+?()[\]{}^$]/)
  if (end === -1) return source
  // A quantifier makes the character before it optional
  return source.slice(0, /[*?{]/.test(source[end]!) ? Math.max(0, end - 1) : end)
}
