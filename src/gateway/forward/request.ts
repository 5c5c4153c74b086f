import { AWS_FIELDS, signAws } from '../../base/crypto/aws-signature.ts'
import { fillTarget } from '../../snapshot/find/target.ts'
import { refusesCredential } from '../../snapshot/link/credential.ts'
import { CONNECTED } from '../../snapshot/link/origin.ts'
import { type AnswerTap, type ForwardRequest, withoutFields } from '../../wire/port.ts'
import { answerFields, answerNames } from '../answer/fields.ts'
import { kindFields } from '../answer/shared-origin.ts'
import type { Exchange, Routed, Targeted } from '../exchange.ts'
import { holderOf } from '../holder.ts'
import { reconnected } from './connected.ts'
import { renewed } from './credential.ts'
import { headerLines } from './headers.ts'
import { withoutParameter } from './query.ts'
import { answerBegan } from './targets.ts'

/**
 * What goes to the upstream. The path that was matched is the path that is forwarded.
 * @param tap the rows that want to see the answer, or null
 */
export function forwardRequest(exchange: Targeted, tap: AnswerTap | null): ForwardRequest {
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
  return features === null || features.response_validation === 'off' ? pass : withoutFields(pass, CODING)
}
