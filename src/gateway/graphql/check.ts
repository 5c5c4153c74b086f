import { isPlain } from '../../base/json/plain.ts'
import type { RefusalCode } from '../../base/refusal.ts'
import type { GraphqlLimits } from '../../model/api/proxy.ts'
import { isUtf8, mediaTypeOf } from '../contract/body-rule.ts'
import { bodyOf } from '../contract/collect.ts'
import { readJsonBody } from '../contract/json-body.ts'
import type { Exchange, Located, Routed } from '../exchange.ts'
import { byHead, type Explain, open, pass, proxyName } from '../explain/judged.ts'
import { fieldValue } from '../header-lines.ts'
import { ANSWERED, type Verdict } from '../verdict.ts'
import { readDocument } from './document.ts'
import { Unreadable } from './lexer.ts'
import { createMeasure, excessOf } from './measure.ts'

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
    return refused(exchange, 'parameter_invalid', '/query/query', 'must not stand beside a body')
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
    const reason = queries.length === 0 ? 'is required' : 'must stand once, in percent-encoded UTF-8'
    return refused(exchange, 'parameter_invalid', '/query/query', reason)
  }
  if (exchange.bodyBytes !== 0)
    return refused(exchange, 'body_invalid', '', 'must not stand beside the query')
  return judge(exchange, limits, queries[0]!, 'parameter_invalid', '/query/query', true)
}

function judgePost(exchange: Exchange, limits: GraphqlLimits, bytes: Uint8Array | null): Verdict {
  if (bytes === null) return exchange.code ?? ANSWERED
  const read = readJsonBody(bytes)
  if (!read.ok) return refused(exchange, 'body_invalid', '', read.reason)
  if (!isPlain(read.value))
    return refused(exchange, 'body_invalid', '', 'must be one object; batches are not taken')
  const other = Object.keys(read.value).find((name) => name !== 'query' && name.toLowerCase() === 'query')
  if (other !== undefined)
    return refused(exchange, 'body_invalid', `/${other}`, 'is read as query by some servers')
  const { query } = read.value
  if (typeof query !== 'string')
    return refused(exchange, 'body_invalid', '/query', 'must be the document; stored ones are not taken')
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
