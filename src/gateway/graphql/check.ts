import { isPlain } from '../../base/json/storable.ts'
import type { RefusalCode } from '../../base/refusal.ts'
import type { GraphqlLimits } from '../../model/api/proxy.ts'
import { isUtf8, mediaTypeOf, readJsonBody } from '../contract/json-body.ts'
import { bodyOf } from '../contract/request.ts'
import type { Exchange, Located, Routed } from '../exchange.ts'
import { byHead, type Explain, open, pass, proxyName } from '../explain/judged.ts'
import { fieldValue } from '../request-headers.ts'
import { ANSWERED, type Verdict } from '../verdict.ts'
import { type Document, readDocument, type Selection, Unreadable } from './document.ts'

/**
 * For proxies of kind graphql: the operation can be read and stays within the bounds of the proxy. Requests
 * are read as GraphQL over HTTP has them: GET with `query`, POST with a JSON object.
 */
export function operationFits(exchange: Routed): Verdict | Promise<Verdict> {
  const { features } = exchange.proxy.fragment
  if (features === null || features.graphql === null) return null
  const limits = features.graphql
  const { method } = exchange
  if (method === 'GET' || method === 'HEAD') return judgeGet(exchange, limits)
  if (method === 'OPTIONS') return null
  const type = mediaTypeOf(fieldValue(exchange.pass, 'content-type') ?? '')
  const coding = fieldValue(exchange.pass, 'content-encoding')
  const isReadable = type?.essence === 'application/json' && isUtf8(type.charset)
  if (!isReadable || (coding !== undefined && coding.toLowerCase() !== 'identity'))
    return refused(
      exchange,
      'unsupported_media_type',
      '/header/content-type',
      'must be application/json in UTF-8, uncompressed',
    )
  if (exchange.bodyBytes === 0) return refused(exchange, 'body_invalid', '', 'is required')
  // A GET parameter beside the body could be what the upstream reads.
  if (queriesIn(exchange.query).length > 0)
    return refused(exchange, 'parameter_invalid', '/query/query', 'must not be sent together with a body')
  const bytes = bodyOf(exchange)
  return bytes instanceof Promise
    ? bytes.then((read) => judgePost(exchange, limits, read))
    : judgePost(exchange, limits, bytes)
}

export const explainOperation: Explain<Located> = (exchange, asked, check) => {
  const { collection, proxy } = exchange
  if (proxy === null) return open('depends on the route')
  const { features } = proxy.fragment
  const described =
    features === null || features.graphql === null
      ? pass('no GraphQL is read')
      : open('depends on the operation', `${proxyName(collection, proxy)} graphql`)
  return byHead(exchange, asked, check, described)
}

function judgeGet(exchange: Exchange, limits: GraphqlLimits): Verdict {
  const queries = queriesIn(exchange.query)
  if (queries.length !== 1 || queries[0] === null) {
    const reason = queries.length === 0 ? 'is required' : 'must occur once, in percent-encoded UTF-8'
    return refused(exchange, 'parameter_invalid', '/query/query', reason)
  }
  if (exchange.bodyBytes !== 0)
    return refused(exchange, 'body_invalid', '', 'must not be sent together with the query')
  return judge(exchange, limits, queries[0]!, 'parameter_invalid', '/query/query', true)
}

function judgePost(exchange: Exchange, limits: GraphqlLimits, bytes: Uint8Array | null): Verdict {
  if (bytes === null) return exchange.code ?? ANSWERED
  const read = readJsonBody(bytes)
  if (!read.ok) return refused(exchange, 'body_invalid', '', read.reason)
  if (!isPlain(read.value))
    return refused(exchange, 'body_invalid', '', 'must be one object; batches are not supported')
  const other = Object.keys(read.value).find((name) => name !== 'query' && name.toLowerCase() === 'query')
  if (other !== undefined)
    return refused(exchange, 'body_invalid', `/${other}`, 'is read as query by some servers')
  const { query } = read.value
  if (typeof query !== 'string')
    return refused(
      exchange,
      'body_invalid',
      '/query',
      'must be the document; stored documents are not supported',
    )
  return judge(exchange, limits, query, 'body_invalid', '/query', false)
}

/** Every operation of the document is held to the bounds, whichever is asked for. */
function judge(
  exchange: Exchange,
  limits: GraphqlLimits,
  text: string,
  code: RefusalCode,
  pointer: string,
  queriesOnly: boolean,
): Verdict {
  try {
    const document = readDocument(text)
    const measure = createMeasure(document)
    // A fragment that nothing uses must be in order too: what counts it may differ.
    for (const selections of document.fragments.values()) measure(selections)
    for (const { type, selections } of document.operations) {
      if (queriesOnly && type !== 'query')
        return refused(exchange, code, pointer, 'must be a query; send mutations by POST')
      const excess = excessOf(measure(selections), limits)
      if (excess !== null) return exceeded(exchange, pointer, excess.reason, excess.members)
    }
    return null
  } catch (error) {
    if (error instanceof Unreadable) return refused(exchange, code, pointer, error.message)
    throw error
  }
}

function exceeded(
  exchange: Exchange,
  pointer: string,
  reason: string,
  members: Readonly<Record<string, unknown>>,
): RefusalCode {
  exchange.facts = { detail: `The operation ${reason}.`, errors: [{ pointer, reason }], members }
  return 'graphql_rejected'
}

function refused(exchange: Exchange, code: RefusalCode, pointer: string, reason: string): RefusalCode {
  exchange.facts = {
    detail: `${pointer === '' ? 'The body' : pointer} ${reason}.`,
    errors: [{ pointer, reason }],
  }
  return code
}

/**
 * Values of the parameter `query`, however its name is encoded; null for one that is no UTF-8, or that only some
 * readers find: behind a semicolon, or under a name that they shorten.
 */
function queriesIn(query: string): (string | null)[] {
  const found: (string | null)[] = []
  for (const pair of query.split('&')) {
    const [first, ...others] = pair.split(';')
    const name = nameOf(first!)
    if (name === 'query') found.push(pair.includes('=') ? decoded(pair.slice(pair.indexOf('=') + 1)) : '')
    else if (READ_AS_QUERY.test(name)) found.push(null)
    for (const other of others) if (READ_AS_QUERY.test(nameOf(other))) found.push(null)
  }
  return found
}

/** Some drop white space before a name, what stands behind a NUL, read brackets as members, or look at no case. */
const READ_AS_QUERY = /^\s*query\s*(?:[\0[]|$)/i

function nameOf(pair: string): string {
  const equals = pair.indexOf('=')
  return decoded(equals === -1 ? pair : pair.slice(0, equals)) ?? ''
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return null
  }
}

/** Size of an operation with its fragments put in place. */
export interface Size {
  /** Fields below each other. */
  readonly depth: number
  /** Fields in all; no more than {@link FIELDS_MAX} are told apart. */
  readonly fields: number
  /** Asks for the schema: `__schema` or `__type`. */
  readonly introspects: boolean
  /** Selects something else than `__schema`, `__type` and `__typename` at its own level. */
  readonly selectsData: boolean
  /** Lists of the introspection schema below each other, each of which multiplies the answer. */
  readonly schemaLists: number
}

const INTROSPECTION: ReadonlySet<string> = new Set(['__schema', '__type', '__typename'])

/** Lists of `__Type` (GraphQL, September 2025, section 4.2) that lead to further types. */
const SCHEMA_LISTS: ReadonlySet<string> = new Set(['fields', 'interfaces', 'possibleTypes', 'inputFields'])

/** Fragments may multiply without end; from here on it is simply too many. */
const FIELDS_MAX = 1_000_000_000

/**
 * Measures what a selection set asks for. Each fragment is measured once, so the time is linear in the document,
 * however often fragments spread each other. Throws {@link Unreadable} for one that is missing or contains itself.
 */
export function createMeasure(document: Document): (selections: readonly Selection[]) => Size {
  const known = new Map<string, Size | 'open'>()

  function ofFragment(name: string): Size {
    const size = known.get(name)
    if (size === 'open') throw new Unreadable(`fragment ${name.slice(0, 80)} contains itself`)
    if (size !== undefined) return size
    const selections = document.fragments.get(name)
    if (selections === undefined) throw new Unreadable(`there is no fragment ${name.slice(0, 80)}`)
    known.set(name, 'open')
    const measured = measure(selections)
    known.set(name, measured)
    return measured
  }

  function measure(selections: readonly Selection[]): Size {
    let depth = 0
    let fields = 0
    let introspects = false
    let selectsData = false
    let schemaLists = 0
    for (const selection of selections) {
      const below = selection.kind === 'spread' ? ofFragment(selection.name) : measure(selection.below)
      const field = selection.kind === 'field' ? selection.name : null
      const own = field === null ? 0 : 1
      depth = Math.max(depth, below.depth + own)
      fields = Math.min(FIELDS_MAX, fields + below.fields + own)
      introspects ||= below.introspects || field === '__schema' || field === '__type'
      selectsData ||= field === null ? below.selectsData : !INTROSPECTION.has(field)
      const lists = field !== null && SCHEMA_LISTS.has(field) ? 1 : 0
      schemaLists = Math.max(schemaLists, below.schemaLists + lists)
    }
    return { depth, fields, introspects, selectsData, schemaLists }
  }

  return measure
}

/**
 * Fields of an operation that asks for the schema alone. Tools of clients send about 300: the whole schema, with nine wrappers of
 * a type.
 */
const INTROSPECTION_FIELDS_MAX = 1000
/** Lists of types below each other in such an operation: each multiplies the answer by the number of fields. */
const INTROSPECTION_LISTS_MAX = 3

export interface Excess {
  readonly reason: string
  readonly members: Readonly<Record<string, unknown>>
}

/** The bound that an operation exceeds. An operation that asks for the schema alone has bounds of its own. */
export function excessOf(
  size: Size,
  { max_depth, max_complexity, introspection }: GraphqlLimits,
): Excess | null {
  const { depth, fields, introspects, selectsData, schemaLists } = size
  if (introspects && !introspection) return { reason: 'asks for the schema, which is not shown', members: {} }
  if (introspects && !selectsData) {
    if (fields > INTROSPECTION_FIELDS_MAX)
      return {
        reason: `asks for the schema with ${fields} fields, and ${INTROSPECTION_FIELDS_MAX} are allowed`,
        members: {},
      }
    if (schemaLists > INTROSPECTION_LISTS_MAX)
      return {
        reason: `asks for lists of types ${schemaLists} deep, and ${INTROSPECTION_LISTS_MAX} are allowed`,
        members: {},
      }
    return null
  }
  if (depth > max_depth)
    return { reason: `is ${depth} deep, and ${max_depth} is allowed`, members: { max_depth } }
  if (fields > max_complexity)
    return { reason: `has ${fields} fields, and ${max_complexity} are allowed`, members: { max_complexity } }
  return null
}
