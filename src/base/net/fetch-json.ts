import type { LookupFunction } from 'node:net'
import { type Plain, plainIn } from '../json/storable.ts'
import type { Egress, UrlSource } from './egress.ts'
import { createGuardedFetch, FetchFailure, type FetchLimits } from './guarded-fetch.ts'

interface JsonRequest {
  readonly url: string
  /** How Postern has come to know the URL, by which the egress rule judges it. */
  readonly from: UrlSource
  /** Sent as a form (POST); null asks by GET, or sends `json`. */
  readonly form: Readonly<Record<string, string>> | null
  /** Sent as JSON (POST) in the place of a form. */
  readonly json?: Plain
  /** Value of the Authorization field; empty for none. */
  readonly authorization: string
  /** Further header fields. */
  readonly headers?: Readonly<Record<string, string>>
}

/** Asks an issuer. Rejects with a {@link FetchFailure}. */
export type FetchJson = (request: JsonRequest) => Promise<Plain>

/** One JSON object, and the fields of the head that came before it. */
interface JsonAnswer {
  readonly value: Plain
  readonly headers: Readonly<Record<string, string>>
}

/** Asks for one JSON object, as {@link createGuardedFetch} asks. */
export function createFetchJson(egress: Egress, limits?: FetchLimits, resolve?: LookupFunction): FetchJson {
  const ask = createAskJson(egress, limits, resolve)
  return async (request) => (await ask(request)).value
}

/** As {@link createFetchJson}, with the head of the answer. */
function createAskJson(
  egress: Egress,
  limits?: FetchLimits,
  resolve?: LookupFunction,
): (request: JsonRequest) => Promise<JsonAnswer> {
  const send = createGuardedFetch(egress, limits, resolve)
  return async ({ url, from, form, json, authorization, headers }) => {
    const sent = bodyOf(form, json)
    const {
      status,
      headers: answerHeaders,
      body,
    } = await send(
      {
        url,
        from,
        method: sent === null ? 'GET' : 'POST',
        headers: {
          Accept: 'application/json',
          ...headers,
          ...(authorization === '' ? {} : { Authorization: authorization }),
          ...(sent === null ? {} : { 'Content-Type': sent.type }),
        },
        body: sent === null ? null : Buffer.from(sent.text),
      },
      // An endpoint of OAuth says in a 400 or 401 what was wrong
      (answered) => answered === 200 || (form !== null && (answered === 400 || answered === 401)),
    )
    const value = plainIn(body)
    if (status !== 200) throw new FetchFailure(`answered ${status}${codeIn(value)}`, status)
    if (value === null) throw new FetchFailure('the answer is no JSON object')
    return { value, headers: answerHeaders }
  }
}

function bodyOf(
  form: JsonRequest['form'],
  json: Plain | undefined,
): { readonly type: string; readonly text: string } | null {
  if (form !== null)
    return { type: 'application/x-www-form-urlencoded', text: new URLSearchParams(form).toString() }
  return json === undefined ? null : { type: 'application/json', text: JSON.stringify(json) }
}

/** The error code of an OAuth endpoint (RFC 6749 section 5.2), which repeats nothing that was sent. */
function codeIn(value: Plain | null): string {
  const code = value?.['error']
  return typeof code === 'string' && CODES.has(code) ? ` (${code})` : ''
}

/** RFC 6749 section 5.2, RFC 8693 section 2.2.2 */
const CODES: ReadonlySet<string> = new Set([
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_scope',
  'invalid_target',
])

const LIMITS: FetchLimits = { timeoutMs: 2500, bytesMax: 64 * 1024 }

/** Gets one JSON object. Rejects with a {@link FetchFailure}. */
export type GetJson = (url: string) => Promise<JsonAnswer>

/** For URLs that anybody may name: https, and what the egress rule admits of discovered URLs. */
export function createPublicGetJson(egress: Egress, resolve?: LookupFunction): GetJson {
  const ask = createAskJson(egress, LIMITS, resolve)
  return async (url) => {
    if (URL.parse(url)?.protocol !== 'https:') throw new FetchFailure('the URL is not https')
    return ask({ url, from: 'discovered', form: null, authorization: '' })
  }
}
