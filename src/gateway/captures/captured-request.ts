/** A request as a capture keeps it: as the trigger of a workflow sees it, without credentials and secrets. */

import type { Plain } from '../../base/json/storable.ts'
import { isSecretName, MASKED } from '../../base/text/mask.ts'
import { percentDecoded, type WithoutSecrets, withoutSecrets } from '../../guardrails/apply.ts'
import type { CapturedRequest, CaptureMatch } from '../../model/workflow/capture.ts'
import { readJsonBody } from '../contract/json-body.ts'
import type { Routed } from '../exchange.ts'
import { fieldValue } from '../request-headers.ts'
import { isJsonType, isTextType, requestValues } from '../workflow/body.ts'

/** Names of headers and parameters that hold a credential, besides those that hold one everywhere. */
const CREDENTIAL_NAME =
  /^(key|sig|signature|code|auth|sid|otp|pin)$|(^|[-_.])(auth|session|session[-_]?id|credentials?|signature|csrf|xsrf|sid)$/i
/** UTF-16 units of one text: what a request of a trial takes. */
const TEXT_CHARS_MAX = 8192
/** A character that a secret may have. */
const OF_SECRET = /[\w.~+/=%:@-]/
/** Characters at the end of a body that was cut, which may be the beginning of a secret. */
const UNENDED_MAX = 4096

/** All but the body. */
export type CapturedHead = Omit<CapturedRequest, 'body' | 'bodyState' | 'bodyBytes'>

/** The head of a request, and what its body is read by. */
export interface Head {
  readonly head: CapturedHead
  readonly clean: WithoutSecrets
  readonly contentType: string
}

export function headOf(exchange: Routed): Head {
  const { identity, method, path, requestId, ip, lane, through, surface } = exchange
  const clean = withoutSecrets(identity.bearer)
  const seen = requestValues(exchange)
  return {
    clean,
    contentType: fieldValue(exchange.pass, 'content-type') ?? '',
    head: {
      requestId,
      at: lane.clock.now(),
      door: through !== null ? 'virtual_mcp' : surface === 0 ? 'rest' : 'execute_call',
      method,
      path: clean.text(path).slice(0, TEXT_CHARS_MAX),
      pathParams: named(seen['path_params'], clean),
      query: named(seen['query'], clean),
      headers: named(seen['headers'], clean),
      ...callerOf(exchange),
      claims: clean.value(seen['claims']) as CapturedRequest['claims'],
      ip,
    },
  }
}

/** Slugs; empty for a host, which trials cannot name. */
function callerOf({ identity, snapshot }: Routed): Pick<CapturedHead, 'client' | 'profile'> {
  const client = identity.client.fragment.slug
  if (snapshot.hosts.has(identity.client.id)) return { client: '', profile: '' }
  return { client, profile: `${client}:${identity.profile.fragment.slug}` }
}

/** Texts by name, such as headers: what stands behind the name of a credential is masked. */
function named<T extends string | readonly string[]>(
  values: unknown,
  clean: WithoutSecrets,
): Record<string, T> {
  const texts = (value: unknown): unknown =>
    Array.isArray(value) ? value.map(texts) : clean.text(String(value)).slice(0, TEXT_CHARS_MAX)
  return Object.fromEntries(
    Object.entries(values as Plain).map(([name, value]) => [
      clean.text(name),
      // All of the values of a query, a path and a header are texts, or lists of them
      (isCredential(name) ? MASKED : texts(value)) as T,
    ]),
  )
}

function isCredential(name: string): boolean {
  return isSecretName(name) || CREDENTIAL_NAME.test(name)
}

/** True for a request whose method and caller fit: what costs nothing to look at. */
export function mayFit({ method, client, profile }: CaptureMatch, exchange: Routed): boolean {
  if (method !== null && method !== exchange.method) return false
  if (client !== null && client !== exchange.identity.client.id) return false
  return profile === null || profile === exchange.identity.profile.id
}

/** True for a head whose path, query and headers fit. It is judged by what is kept: nothing can be found out by a match that is not shown. */
export function fits({ path, query, headers }: CaptureMatch, head: CapturedHead): boolean {
  if (path !== null && !fitsPath(path, head.path)) return false
  return (
    Object.entries(query).every(([name, value]) => [head.query[name]].flat().includes(value)) &&
    Object.entries(headers).every(([name, value]) => head.headers[name] === value)
  )
}

function fitsPath(pattern: string, path: string): boolean {
  return pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) : path === pattern
}

type CapturedBody = Pick<CapturedRequest, 'body' | 'bodyState' | 'bodyBytes'>

/**
 * @param bytes of the body, as many as are kept
 * @param wholeBytes length of the whole body; null where its end is not known
 */
export function bodyOf(
  { clean, contentType }: Head,
  bytes: Uint8Array,
  wholeBytes: number | null,
): CapturedBody {
  if (wholeBytes === 0) return { body: null, bodyState: 'none', bodyBytes: 0 }
  const isWhole = bytes.length === wholeBytes
  const isJson = isJsonType(contentType)
  if (isJson && isWhole) {
    const read = readJsonBody(bytes)
    if (read.ok) return { body: clean.value(read.value), bodyState: 'whole', bodyBytes: wholeBytes }
  }
  const text = isJson || isTextType(contentType) ? textOf(bytes, isWhole) : null
  if (text === null) return { body: null, bodyState: 'not_text', bodyBytes: wholeBytes }
  return {
    body: clean.text(withoutEscapedNames(text)),
    bodyState: isWhole ? 'whole' : 'cut',
    bodyBytes: wholeBytes,
  }
}

/** Masks values in the pairs of a form by their decoded names. The media type is not asked for: callers send wrong ones. */
function withoutEscapedNames(text: string): string {
  if (!text.includes('%')) return text
  const pairs = text.split('&').map((pair) => {
    const at = pair.indexOf('=')
    return at >= 0 && isCredential(percentDecoded(pair.slice(0, at))) ? pair.slice(0, at + 1) + MASKED : pair
  })
  return pairs.join('&')
}

function textOf(bytes: Uint8Array, isWhole: boolean): string | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: !isWhole })
    return isWhole ? text : withoutUnended(text)
  } catch {
    return null
  }
}

function withoutUnended(text: string): string {
  let end = text.length
  while (end > 0 && text.length - end < UNENDED_MAX && OF_SECRET.test(text[end - 1]!)) end--
  return text.slice(0, end)
}
