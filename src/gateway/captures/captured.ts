/** A request as a capture keeps it: as the trigger of a workflow sees it, without credentials and secrets. */
import { isSecretName, MASKED } from '../../base/mask.ts'
import type { Plain } from '../../base/plain.ts'
import { type WithoutSecrets, withoutSecrets } from '../../guardrails/without-secrets.ts'
import type { CapturedRequest, CaptureMatch } from '../../model/capture.ts'
import { readJsonBody } from '../contract/json-body.ts'
import type { Routed } from '../exchange.ts'
import { fieldValue } from '../header-lines.ts'
import { isJsonType, isTextType } from '../workflow/body.ts'
import { requestValues } from '../workflow/request-values.ts'

/** Names of headers and parameters that hold a credential, besides those that hold one everywhere. */
const CREDENTIAL_NAME =
  /^(key|sig|signature|code|auth|sid|otp|pin)$|(^|[-_.])(auth|session|session[-_]?id|credentials?|signature|csrf|xsrf|sid)$/i
/** UTF-16 units of one text: what a request of a trial takes. */
const TEXT_CHARS_MAX = 8192
/** Characters at the end of a body that was cut, which may be the beginning of a secret. */
const UNENDED = /[\w.~+/=%:@-]{1,4096}$/

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
      client: identity.client.fragment.slug,
      profile: `${identity.client.fragment.slug}:${identity.profile.fragment.slug}`,
      claims: clean.value(seen['claims']) as CapturedRequest['claims'],
      ip,
    },
  }
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
      (isSecretName(name) || CREDENTIAL_NAME.test(name) ? MASKED : texts(value)) as T,
    ]),
  )
}

/** True for a request that the capture waits for. It is judged by what is kept: nothing can be found out by a match that is not shown. */
export function fits(match: CaptureMatch, head: CapturedHead, { identity }: Routed): boolean {
  const { method, path, client, profile, query, headers } = match
  if (method !== null && method !== head.method) return false
  if (path !== null && !fitsPath(path, head.path)) return false
  if (client !== null && client !== identity.client.id) return false
  if (profile !== null && profile !== identity.profile.id) return false
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
  return { body: clean.text(text), bodyState: isWhole ? 'whole' : 'cut', bodyBytes: wholeBytes }
}

function textOf(bytes: Uint8Array, isWhole: boolean): string | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: !isWhole })
    return isWhole ? text : text.replace(UNENDED, '')
  } catch {
    return null
  }
}
