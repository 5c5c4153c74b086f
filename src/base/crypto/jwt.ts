import { isUtf8 } from 'node:buffer'
import { withLongNumbersAsTexts } from '../json/exact.ts'
import { parseStrictJson } from '../json/scan.ts'
import { isPlain, listedTexts, type Plain } from '../json/storable.ts'
import { toGlob } from '../text/patterns.ts'
import { isAlgorithm } from './jws.ts'

/** A token that was read and not proved: nothing in it may be believed yet. */
export interface Jwt {
  readonly alg: string
  readonly kid: string | null
  /** `typ` of the header, in lower case and without `application/`; empty when it has none. */
  readonly type: string
  readonly claims: Plain
  readonly issuer: string
  /** Empty when it has none. */
  readonly subject: string
  readonly audience: readonly string[]
  /** Seconds since the epoch. */
  readonly expires: number | null
  readonly notBefore: number | null
  readonly issuedAt: number | null
  /** What the signature covers. */
  readonly signed: string
  readonly signature: Uint8Array
}

/** A longer token is refused unread. */
const LENGTH_MAX = 8192
const DEPTH_MAX = 16
const KID_MAX = 256
const SUBJECT_MAX = 1024
const TEXT_MAX = 1024
const AUDIENCES_MAX = 64
/** Header parameters that change what the signature covers or how the content is read; none is understood. */
const REFUSED = ['crit', 'b64', 'zip', 'enc'] as const
const TYPES: readonly string[] = ['jwt', 'at+jwt']

/** True for a token that says it is of the issuer, which nothing proves yet. */
export function claimsIssuer(token: string, issuer: string): boolean {
  const jwt = readJwt(token)
  return typeof jwt !== 'string' && jwt.issuer === issuer
}

/** True for text of the form of a signed token; says nothing of its content. */
export function looksLikeJwt(text: string): boolean {
  if (!text.startsWith('ey')) return false
  const first = text.indexOf('.')
  const second = text.indexOf('.', first + 1)
  return first > 0 && second > first && text.indexOf('.', second + 1) === -1
}

/**
 * Reads a signed token in its compact form (RFC 7519, RFC 7515 section 7.1), strictly: base64url of one spelling, UTF-8,
 * no member named twice, known algorithms, claims of their types.
 * @param types that its header may name, of which it may have none at all
 * @returns the token, or a sentence that says what is wrong with it.
 */
export function readJwt(text: string, types: readonly string[] = TYPES): Jwt | string {
  if (text.length > LENGTH_MAX) return 'the token is too long'
  const parts = text.split('.')
  if (parts.length !== 3) return 'the token does not have three parts'
  const [head, body, tail] = parts as [string, string, string]
  const header = readPart(head)
  if (header === null) return 'the header of the token is broken'
  const { alg, kid, typ } = header
  if (typeof alg !== 'string' || !isAlgorithm(alg)) return 'the algorithm is not known'
  for (const name of REFUSED) if (Object.hasOwn(header, name)) return `the header contains ${name}`
  if (kid !== undefined && !isText(kid, KID_MAX)) return 'the kid is no plain text'
  const type = typeof typ === 'string' ? typ.toLowerCase().replace(/^application\//, '') : ''
  if (typ !== undefined && !types.includes(type)) return 'the type of the token is not known'
  const claims = readPart(body)
  if (claims === null) return 'the claims of the token are broken'
  const signature = readBytes(tail)
  if (signature === null) return 'the signature is broken'
  const fault = faultOf(claims)
  if (fault !== null) return fault
  const { iss, sub, aud, exp, nbf, iat } = claims
  return {
    alg,
    kid: (kid as string | undefined) ?? null,
    type,
    claims,
    issuer: (iss as string | undefined) ?? '',
    subject: (sub as string | undefined) ?? '',
    audience: audienceOf(aud) ?? [],
    expires: (exp as number | undefined) ?? null,
    notBefore: (nbf as number | undefined) ?? null,
    issuedAt: (iat as number | undefined) ?? null,
    signed: `${head}.${body}`,
    signature,
  }
}

/** What is wrong with the registered claims (RFC 7519 section 4.1), or null. */
function faultOf(claims: Plain): string | null {
  const { iss, sub, aud } = claims
  if (iss !== undefined && !isText(iss, TEXT_MAX)) return 'iss is no plain text'
  if (sub !== undefined && !isText(sub, SUBJECT_MAX)) return 'sub is no plain text'
  if (aud !== undefined && audienceOf(aud) === null) return 'aud is neither text nor a list of texts'
  for (const name of ['exp', 'nbf', 'iat'] as const) {
    const value = claims[name]
    if (value !== undefined && (typeof value !== 'number' || !Number.isFinite(value) || value < 0))
      return `${name} is no time`
  }
  return null
}

/** The texts of `aud`; null when it has another form. */
export function audienceOf(aud: unknown): readonly string[] | null {
  if (aud === undefined) return []
  const list: readonly unknown[] = Array.isArray(aud) ? aud : [aud]
  return list.length <= AUDIENCES_MAX && list.every((one) => isText(one, TEXT_MAX))
    ? (list as readonly string[])
    : null
}

/** Text of bounded length without control characters. */
export function isText(value: unknown, max: number): value is string {
  return (
    typeof value === 'string' &&
    value !== '' &&
    value.length <= max &&
    value.isWellFormed() &&
    !/\p{Cc}/u.test(value)
  )
}

function readPart(part: string): Plain | null {
  const bytes = readBytes(part)
  if (bytes === null || !isUtf8(bytes)) return null
  // A claim is compared and sent on: a long number must not become another one
  const value = parseStrictJson(bytes.toString('utf8'), DEPTH_MAX, withLongNumbersAsTexts)
  return isPlain(value) ? value : null
}

/** Base64url without padding and with no bits to spare, so that a token has one spelling. */
function readBytes(part: string): Buffer | null {
  if (!/^[A-Za-z0-9_-]+$/.test(part)) return null
  const bytes = Buffer.from(part, 'base64url')
  return bytes.toString('base64url') === part ? bytes : null
}

/** One of `values`, or text that fits `glob`. Of a claim that is a list, one item suffices. */
export interface ClaimRule {
  readonly claim: string
  readonly values: readonly (string | number | boolean)[]
  readonly glob: string | null
}

/** A claim by its name or, where there is none of that name, by its path with dots; undefined when it is absent. */
export function claimOf(claims: Plain, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name]
  let value: unknown = claims
  for (const part of name.split('.')) {
    if (value === null || typeof value !== 'object' || Array.isArray(value) || !Object.hasOwn(value, part))
      return undefined
    value = (value as Plain)[part]
  }
  return value
}

/** A rule that is ready to be asked. */
export function toRule({ claim, values, glob }: ClaimRule): (claims: Plain) => boolean {
  const fitsGlob = glob === null ? null : toGlob(glob)
  const fits = (value: unknown): boolean =>
    fitsGlob === null ? values.some((one) => one === value) : typeof value === 'string' && fitsGlob(value)
  return (claims) => {
    const value = claimOf(claims, claim)
    return Array.isArray(value) ? value.some(fits) : fits(value)
  }
}

/** Scopes of a token: `scope` (RFC 8693 section 4.2) or `scp`, as text with spaces or as a list. */
export function scopesOf(claims: Plain): readonly string[] {
  const value = claims['scope'] ?? claims['scp']
  if (typeof value === 'string') return value.split(' ')
  return listedTexts(value)
}

/** Claims of access tokens for MCP endpoints that only Postern reads: ids of the host, and of the profile that the person has picked. */
export const HOST_CLAIM = 'postern_host'
export const PROFILE_CLAIM = 'postern_profile'
/** Of a token of an agent: id of its binding, and the name of what it proved itself by; see `access/accounts.ts`. */
export const BINDING_CLAIM = 'postern_binding'
export const CREDENTIAL_CLAIM = 'postern_credential'
/** Of a token that an agent got by exchange: id of the host with which the person had signed in. */
export const SUBJECT_HOST_CLAIM = 'postern_subject_host'
