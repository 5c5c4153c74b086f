import { hash } from 'node:crypto'
import { AWS_FIELDS, signAws } from '../../base/crypto/aws-signature.ts'
import { newTraceParent, passedTraceParent } from '../../base/ids.ts'
import { twinOf } from '../../model/http-names.ts'
import { fillTarget } from '../../snapshot/find/target.ts'
import { refusesCredential } from '../../snapshot/link/credential.ts'
import { CONNECTED } from '../../snapshot/link/small-kinds.ts'
import type { NameSet } from '../../snapshot/linked-types/collection.ts'
import { type AnswerTap, FAILURE_CODES, type ForwardRequest, withoutFields } from '../../wire/port.ts'
import { answerFields, answerNames } from '../answer/answer-headers.ts'
import { watchOf } from '../answer/answer-stages.ts'
import { kindFields } from '../answer/shared-origin.ts'
import { keepsByAddress } from '../cache/cache-rules.ts'
import { holdsAnswer } from '../contract/request.ts'
import { type Called, type Exchange, holderOf, type Routed, type Targeted } from '../exchange.ts'
import { answerBudgetOf } from '../exchange-memory.ts'
import { keepBytesOf } from '../guardrails/answer.ts'
import { isRelayed, relay } from '../guardrails/guarded-response.ts'
import { FIELD_RULES } from '../request-headers.ts'
import type { Life } from '../stage-types.ts'
import { reconnected } from './connected.ts'
import { renewed } from './credential.ts'
import { answerBegan } from './targets.ts'

/**
 * What goes to the upstream. The path that was matched is the path that is forwarded.
 * @param tap the rows that want to see the answer, or null
 */
function forwardRequest(exchange: Targeted, tap: AnswerTap | null): ForwardRequest {
  const { pass, query } = exchange
  const { host_header } = exchange.collection.upstream!.fragment
  const { path, runner } = exchange.target.fragment
  const { authority } = (runner === true ? exchange.lane.runner : null) ?? exchange.target.fragment
  const { host } = exchange
  const target = targetOf(exchange, path, query)
  const sentHost = host_header === 'preserve' && host !== '' ? host : authority
  const request: ForwardRequest = {
    method: exchange.method,
    target,
    host: sentHost,
    fields: fieldsOf(exchange, pass, sentHost, target),
    responseFields: answerFields(exchange),
    responseNames: answerNames(exchange),
    kindFields: kindFields(exchange),
    holder: holderOf(exchange.identity, exchange.snapshot),
    tap,
    upgrade: exchange.upgrade && exchange.proxy.fragment.features?.websocket === true,
    again: null,
    began: exchange.trial > 0 ? (status) => answerBegan(exchange, status) : null,
  }
  if (!exchange.hasOther) return request
  /** The same with the credential that the exchange has by then. */
  const withOther = (): ForwardRequest => {
    const other = targetOf(exchange, path, query)
    return { ...request, target: other, fields: fieldsOf(exchange, pass, sentHost, other) }
  }
  if (exchange.proxy.credential === CONNECTED)
    return { ...request, again: againConnected(exchange, withOther) }
  const again: ForwardRequest['again'] = (status) =>
    (refusesCredential(status, exchange.signing !== null) ? renewed(exchange) : null)?.then((code) =>
      code === null ? withOther() : { inner: exchange.reason },
    ) ?? null
  return { ...request, again }
}

/**
 * A token that was put in the place of a refused one may be refused too: then the person must connect the account anew, as for a token
 * that lacks scopes.
 */
function againConnected(exchange: Routed, withOther: () => ForwardRequest): ForwardRequest['again'] {
  const judge =
    (count: number): ForwardRequest['again'] =>
    (status, fields) => {
      const challenge = status === 403 ? scopeChallenge(fields) : null
      return status === 401 || challenge !== null ? after(count, challenge) : null
    }
  const after = async (count: number, challenge: string | null): Promise<Renewed> => {
    const code = await reconnected(exchange, count, challenge)
    if (code === null) return { ...withOther(), again: judge(count + 1) }
    exchange.code = code
    return { inner: exchange.reason }
  }
  return judge(1)
}

type Renewed = ForwardRequest | { readonly inner: string }

const CHALLENGE_MAX = 4096

/** `WWW-Authenticate` of an answer that asks for more scopes (RFC 6750 section 3.1); null for any other. @param fields header lines */
function scopeChallenge(fields: string): string | null {
  const found = [...fields.matchAll(/^www-authenticate:[ \t]*(.*)\r$/gim)]
    .map(([, value]) => value)
    .join(', ')
  return found.length <= CHALLENGE_MAX && found.includes('insufficient_scope') ? found : null
}

/** @param host as it is sent; for a signature, like the target. */
function fieldsOf(exchange: Routed, pass: string, host: string, target: string): string {
  const all = headerLines(exchange, passOf(exchange, pass), exchange.host)
  const { signing, method, body, now } = exchange
  if (signing === null) return all
  const fields = withoutFields(all, AWS_FIELDS)
  const payload = signing.signsPayload ? (body ?? NOTHING) : null
  return fields + signAws(signing, { method, host, target, fields, body: payload }, now)
}

const NOTHING = new Uint8Array(0)

function targetOf(exchange: Routed, base: string, query: string): string {
  const { capability } = exchange
  const path = capability === null ? pathAtUpstream(exchange, base) : capability.path
  const asked = queryOf(exchange, query)
  return asked === '' ? path : `${path}?${asked}`
}

/** The path that the upstream sees. @param base path of the server's URL */
export function pathAtUpstream(
  { collection, proxy, path: asked }: Pick<Routed, 'collection' | 'proxy' | 'path'>,
  base: string,
): string {
  const { target } = proxy
  const below = asked.slice(collection.fragment.base_path.length)
  const path = base + (target === null ? below : fillTarget(target, below === '' ? '/' : below))
  return path === '' ? '/' : path
}

/** A key that belongs into the query takes the place of what the caller sent under its name. */
function queryOf(exchange: Exchange, query: string): string {
  const { credential } = exchange
  if (credential === null || credential.pair === '') return query
  const rest = query === '' ? '' : withoutParameter(query, credential.parameter)
  return rest === '' ? credential.pair : `${rest}&${credential.pair}`
}

const CODING: ReadonlySet<string> = new Set(['accept-encoding'])
const PARTS: ReadonlySet<string> = new Set(['accept-encoding', 'range', 'if-range'])

/** An answer that is judged must be readable. */
function passOf(exchange: Routed, pass: string): string {
  const { features } = exchange.proxy.fragment
  // Rules must see the whole of the answer
  if (exchange.guard !== null && exchange.guard.rules.response !== null) return withoutFields(pass, PARTS)
  return features === null || features.response_validation !== 'enforce' ? pass : withoutFields(pass, CODING)
}

/** The query without the parameters of this name, however they are encoded. Order and repeats of others stay. */
export function withoutParameter(query: string, name: string): string {
  return query
    .split('&')
    .filter((pair) => decoded(pair.split('=', 1)[0]!) !== name)
    .join('&')
}

function decoded(text: string): string {
  const plain = text.replaceAll('+', ' ')
  try {
    return decodeURIComponent(plain)
  } catch {
    // No UTF-8: no server reads it as a name that was configured.
    return plain
  }
}

/** Names that never stand in what a caller passes on. */
const LIFTED: ReadonlySet<string> = new Set(FIELD_RULES.take)

/**
 * Header lines for the upstream, each source giving way to the next: the caller's, those of the gateway, configured
 * ones (proxy before collection), the credential.
 * @param host what the caller asked for; empty when that is not known.
 */
function headerLines(exchange: Routed, pass: string, host: string): string {
  const { text, names } = exchange.proxy.headers
  const { credential } = exchange
  const name = credential === null ? '' : credential.name
  const sent = LIFTED.has(name) ? '' : name
  const kept = names.lengths === 0 && sent === '' ? pass : withoutNamed(pass, names, sent)
  const configured = name !== '' && names.names.has(name) ? linesBut(exchange, name) : text
  return (
    kept +
    configured +
    (credential === null ? '' : credential.line) +
    exchange.identity.profile.identityLines +
    (exchange.identity.subject === '' ? '' : subjectLine(exchange)) +
    (exchange.collection.attachment === 'collection'
      ? tracedLines(exchange, host)
      : ownTraceLines(exchange) + runnerLines(exchange))
  )
}

function tracedLines(exchange: Routed, host: string): string {
  return (
    `X-Request-ID: ${exchange.requestId}\r\ntraceparent: ${traceParentOf(exchange)}\r\n${sendsAddress(exchange) ? `X-Forwarded-For: ${exchange.ip}\r\n` : ''}X-Forwarded-Proto: ${exchange.secure ? 'https' : 'http'}\r\n` +
    (exchange.traceState === '' ? '' : `tracestate: ${exchange.traceState}\r\n`) +
    (host === '' ? '' : `X-Forwarded-Host: ${host}\r\n`)
  )
}

/** An origin, or the server of a node, need not know from where callers come. */
function ownTraceLines(exchange: Routed): string {
  const { requestId, traceState } = exchange
  const state = traceState === '' ? '' : `tracestate: ${traceState}\r\n`
  return `X-Request-ID: ${requestId}\r\ntraceparent: ${traceParentOf(exchange)}\r\n${state}`
}

/** An answer that others may get must not depend on the address of one caller. */
function sendsAddress({ cacheKey, proxy }: Routed): boolean {
  return cacheKey === '' || keepsByAddress(proxy.fragment.features!.cache!)
}

/** Whom the token of the caller names, for upstreams that are told who calls. */
function subjectLine({ identity: { profile, subject } }: Routed): string {
  if (!profile.fragment.forward_identity) return ''
  // Percent-encoded (RFC 3986 section 2.1) unless it is visible ASCII without a percent sign.
  const plain = /^[!-$&-~]+$/.test(subject)
  return `X-Postern-Subject: ${plain ? subject : encodeURIComponent(subject)}\r\n`
}

function linesBut(exchange: Routed, name: string): string {
  let text = ''
  for (const header of exchange.proxy.headers.lines) if (header.name !== name) text += header.line
  return text
}

/**
 * The block without lines of these names and their twins (`X_Tenant` for `X-Tenant`). Most blocks have none of them and come back as
 * they are.
 */
function withoutNamed(pass: string, { names, twins, spared, lengths }: NameSet, name: string): string {
  const wanted = lengths | (name === '' ? 0 : 1 << (name.length & 31))
  let kept = ''
  let from = 0
  let at = 0
  while (at < pass.length) {
    const colon = pass.indexOf(':', at)
    const end = pass.indexOf('\r\n', colon) + 2
    if ((wanted & (1 << ((colon - at) & 31))) !== 0) {
      const lower = pass.slice(at, colon).toLowerCase()
      if (lower === name || names.has(lower) || isTwin(lower, twins, spared, name)) {
        kept += pass.slice(from, at)
        from = end
      }
    }
    at = end
  }
  return from === 0 ? pass : kept + pass.slice(from)
}

/** Only a name of the same length comes here. */
function isTwin(
  lower: string,
  twins: ReadonlySet<string>,
  spared: ReadonlySet<string>,
  name: string,
): boolean {
  const twin = twinOf(lower)
  return (twins.has(twin) || (name !== '' && twin === twinOf(name))) && !spared.has(lower)
}

// What the runner of stdio servers is told with a request: the entry's parameters, the origin, the user and the caller.

/**
 * Header lines for a request to the runner; empty for any other upstream. The key of the user names client, profile and subject
 * together: the same subject may be another person at another issuer. It is a hash, and never made of a token.
 */
export function runnerLines({ capability, lane, identity, snapshot }: Routed): string {
  const fields = capability?.origin.runnerFields ?? null
  if (fields === null) return ''
  const token = lane.runner?.token ?? ''
  const authorization = token === '' ? '' : `Authorization: Bearer ${token}\r\n`
  const caller = hash('sha256', holderOf(identity, snapshot), 'base64url')
  return `${fields}Runner-Instance: ${userKey(identity)}\r\nRunner-Caller: ${caller}\r\n${authorization}`
}

function userKey({ client, profile, subject }: Called['identity']): string {
  return hash('sha256', JSON.stringify([client.id, profile.id, subject]), 'base64url')
}

/**
 * Takes what a caller says of its trace (W3C Trace Context). It goes on as it came: no spans are written here, so an id
 * of our own would stand in the tree of the trace for a span that nobody can find. A state without a trace is nothing.
 */
export function takeTrace(exchange: Exchange, parent: string, state: string | undefined): void {
  const passed = passedTraceParent(parent)
  if (passed === null) return
  exchange.traceParent = passed
  exchange.traceState = state ?? ''
}

/** The caller's, or one that was made for it: each time that a request is sent it is the same. */
function traceParentOf(exchange: Exchange): string {
  if (exchange.traceParent === '') exchange.traceParent = newTraceParent()
  return exchange.traceParent
}

/**
 * Sends an admitted request to the server that was chosen. The answer is streamed to the caller unless its end, or a row
 * that judges answers, needs it gathered first.
 */
export function forward(exchange: Exchange, life: Life): void {
  // The check `target` has set all of it
  const sent = exchange as Targeted
  const { end, outcome } = sent
  const upstream = sent.lane.pools.of(sent.target, sent.shownCertificate)
  const request = forwardRequest(sent, watchOf(life.watching, sent))
  if (end.stream !== null && !isGathered(sent)) {
    if (sent.guard !== null && isRelayed(sent)) relay(sent, upstream, request, life)
    else end.stream(sent, upstream, request)
    return
  }
  const body = sent.bodyBytes === 0 ? null : sent.body
  const { readBytesMax } = end
  const keepBytesMax = sent.guard === null ? end.keepBytesMax : keepBytesOf(sent)
  const budget = answerBudgetOf(sent)
  sent.gathering = upstream.call({ ...request, body, keepBytesMax, readBytesMax, budget }, (result) => {
    sent.gathering = null
    outcome.upstreamAt = result.upstreamAt
    if (result.ok) life.answered(sent, request, result)
    else life.failed(sent, FAILURE_CODES[result.failure], result.inner)
  })
}

/** True for an exchange whose answer is passed on only when it is judged. */
function isGathered({ proxy, method }: Routed): boolean {
  const { features } = proxy.fragment
  return features !== null && method !== 'HEAD' && holdsAnswer(features)
}
