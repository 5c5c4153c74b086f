/** Tokens that begin with a mark of their issuer, and signed tokens (JWT). Each begins with a word, which the scan has found. */
import { codeAt, type Found, isBase64Url, isDigit, isWord, runEnd } from '../chars.ts'
import type { SecretKind } from '../settings.ts'

/** What follows a mark. */
interface Mark {
  readonly mark: string
  readonly kind: SecretKind
  /** Characters after the mark. */
  readonly min: number
  readonly max: number
  readonly isOf: (code: number) => boolean
  /** How the rest looks as a whole, where that is not all. */
  readonly form?: RegExp
}

/** Longer tokens of these forms are not issued. */
const TOKEN_MAX = 512
/** Longer than those of access tokens with many groups. */
const JWT_MAX = 16_384

const isAlphanumeric = (code: number): boolean => isWord(code) && code !== 95
const isDotted = (code: number): boolean => isBase64Url(code) || code === 46

function mark(
  kind: SecretKind,
  marks: string,
  [min, max]: readonly [number, number],
  isOf: Mark['isOf'],
  form?: RegExp,
): Mark[] {
  return marks.split(' ').map((text) => ({ mark: text, kind, min, max, isOf, ...(form && { form }) }))
}

/** A generated value: a word with a hyphen or an underscore in the place of a secret has no digits. */
const WITH_DIGIT = /\d/

/** Longer marks stand before those that they begin with. */
const MARKS: readonly Mark[] = [
  // Own tokens (base/crypto/token.ts), also of kinds to come
  ...mark('postern', 'pst_', [11, 80], isWord, /^[a-z]{2}_[0-9A-Za-z_]{8,}$/),
  // Access key ids: of users, of sessions, of bearer tokens, of certificates
  ...mark('aws', 'AKIA ASIA ABIA ACCA', [16, 16], isAlphanumeric, /^[A-Z2-7]{16}$/),
  ...mark('google', 'AIza', [35, 35], isBase64Url),
  ...mark('google', 'GOCSPX-', [28, 28], isBase64Url),
  ...mark('google', 'ya29.', [20, TOKEN_MAX], isDotted, WITH_DIGIT),
  ...mark('github', 'ghp_ gho_ ghu_ ghs_ ghr_', [36, 251], isAlphanumeric),
  ...mark('github', 'github_pat_', [36, 251], isWord),
  ...mark(
    'gitlab',
    'glpat- gldt- glrt- glptt- glcbt- glsoat- glimt- glagent- glft- glffct-',
    [20, 300],
    isDotted,
    WITH_DIGIT,
  ),
  ...mark(
    'slack',
    'xoxa- xoxb- xoxe- xoxe. xoxo- xoxp- xoxr- xoxs- xapp-',
    [20, TOKEN_MAX],
    isDotted,
    WITH_DIGIT,
  ),
  ...mark('stripe', 'sk_live_ sk_test_ rk_live_ rk_test_', [16, 247], isAlphanumeric),
  ...mark(
    'stripe',
    'whsec_',
    [24, 128],
    (code) => isAlphanumeric(code) || code === 43 || code === 47,
    WITH_DIGIT,
  ),
  ...mark('anthropic', 'sk-ant-', [32, 200], isBase64Url, WITH_DIGIT),
  ...mark('openai', 'sk-proj- sk-svcacct- sk-admin- sk-None-', [32, 300], isBase64Url, WITH_DIGIT),
  ...mark('openai', 'sk-', [32, 200], isBase64Url, /^(?=[^-]{20})[\w-]*\d/),
  ...mark('vendor', 'npm_', [36, 36], isAlphanumeric),
  ...mark('vendor', 'hf_', [30, 60], isAlphanumeric),
  ...mark('vendor', 'pypi-', [50, TOKEN_MAX], isBase64Url, WITH_DIGIT),
  ...mark('vendor', 'dop_v1_ doo_v1_ dor_v1_', [64, 64], isAlphanumeric),
  ...mark('vendor', 'shpat_ shpca_ shppa_ shpss_', [32, 32], isAlphanumeric),
  ...mark('vendor', 'dckr_pat_', [27, 40], isBase64Url),
  ...mark('vendor', 'hvs. hvb.', [24, 300], isBase64Url, WITH_DIGIT),
  ...mark('vendor', 'SG.', [60, 80], isDotted, /^[\w-]{16,32}\.[\w-]{30,64}$/),
]

/** By the first two characters, as `first * 128 + second`. */
const BY_BEGIN = new Map<number, Mark[]>()
/** 1 for two characters that begin a mark. */
export const TOKEN_BEGINS = new Uint8Array(128 * 128)
for (const one of MARKS) {
  const begin = one.mark.charCodeAt(0) * 128 + one.mark.charCodeAt(1)
  TOKEN_BEGINS[begin] = 1
  BY_BEGIN.set(begin, [...(BY_BEGIN.get(begin) ?? []), one])
}
const JWT_BEGIN = 'e'.charCodeAt(0) * 128 + 'y'.charCodeAt(0)
TOKEN_BEGINS[JWT_BEGIN] = 1

/** The token that begins at `start` with a word of two characters or more; the word begins in ASCII. */
export function tokenAt(text: string, start: number): Found | null {
  const begin = codeAt(text, start) * 128 + codeAt(text, start + 1)
  if (TOKEN_BEGINS[begin] !== 1) return null
  if (begin === JWT_BEGIN) return jwtAt(text, start)
  for (const one of BY_BEGIN.get(begin)!) {
    const end = endOf(one, text, start)
    if (end > 0) return { start, end, kind: one.kind, confidence: 0.98 }
  }
  return null
}

function endOf({ mark: begin, min, max, isOf, form }: Mark, text: string, start: number): number {
  if (!text.startsWith(begin, start)) return -1
  const from = start + begin.length
  let end = runEnd(text, from, isOf, max + 1)
  // The end of a sentence
  while (codeAt(text, end - 1) === 46) end--
  if (end - from < min || end - from > max || isWord(codeAt(text, end))) return -1
  const rest = text.slice(from, end)
  return (form === undefined || form.test(rest)) && !isExample(rest) ? end : -1
}

/**
 * A signed token (RFC 7515 section 3.1), or an encrypted one (RFC 7516): base64url of JSON begins with `eyJ`. A second part
 * that begins so too is enough: the rest may be cut off.
 */
function jwtAt(text: string, start: number): Found | null {
  if (!text.startsWith('eyJ', start) || isBase64Url(codeAt(text, start - 1))) return null
  let end = runEnd(text, start, isBase64Url, JWT_MAX)
  if (end - start < 12 || codeAt(text, end) !== 46) return null
  const isSigned = text.startsWith('eyJ', end + 1)
  let parts = 1
  for (; parts < 5 && codeAt(text, end) === 46; parts++)
    end = runEnd(text, end + 1, isBase64Url, Math.max(0, JWT_MAX - (end - start)))
  if (!isSigned && parts < 5) return null
  return { start, end, kind: 'jwt', confidence: 0.95 }
}

const isAzureSecret = (code: number): boolean => isDotted(code) || code === 126

/** A client secret of Entra ID: 40 characters, with `8Q~` as the fourth to sixth. `tilde` is the place of the `~`. */
export function azureSecretAt(text: string, tilde: number): Found | null {
  const start = tilde - 5
  if (start < 0 || codeAt(text, tilde - 1) !== 81 || !isDigit(codeAt(text, tilde - 2))) return null
  if (isAzureSecret(codeAt(text, start - 1))) return null
  const end = runEnd(text, start, isAzureSecret, 41)
  return end - start === 40 ? { start, end, kind: 'azure', confidence: 0.95 } : null
}

const USER_INFO_MAX = 512

/** Characters that end the authority of a URL, or the URL (RFC 3986 section 3.2). */
const ENDS = new Set([...'/?#"\'<>\\`{}|^ \t\r\n'].map((char) => char.charCodeAt(0)))

/** The password of a URL, as in `postgres://app:secret@db/orders`. `colon` is the place of the colon before the two slashes. */
export function connectionPasswordAt(text: string, colon: number): Found | null {
  if (!text.startsWith('://', colon) || !isWord(codeAt(text, colon - 1))) return null
  const from = colon + 3
  const stop = Math.min(text.length, from + USER_INFO_MAX)
  let password = -1
  let end = -1
  for (let at = from; at < stop; at++) {
    const code = codeAt(text, at)
    if (ENDS.has(code)) break
    // A password may contain an @ that is not encoded: the last one ends it
    if (code === 64) end = at
    else if (code === 58 && password < 0) password = at + 1
  }
  if (password < 0 || end <= password || isPlaceholder(text.slice(password, end))) return null
  return { start: password, end, kind: 'connection_string', confidence: 0.95 }
}

// How a generated secret differs from a word, a placeholder and other values.

/** What stands in examples and templates in the place of a secret. */
const PLACEHOLDER =
  /^(?:[*x.#_-]+|<.*>|\[.*\]|\{.*\}|\$\{?[A-Za-z_].*|%\w+%|(?:your|my|the|some)[-_ ]?.*|(?:changeme|change[-_]me|example|placeholder|redacted|secret|password|token|null|none|undefined|true|false|required|optional|string)\d{0,3})$/i

function isPlaceholder(value: string): boolean {
  return PLACEHOLDER.test(value)
}

/** What stands in examples within the form of a token. Of generated tokens not one in a million has six equal characters in a row. */
const EXAMPLE = /example|placeholder|redacted|your[-_]|changeme|(.)\1{5}|0123456789|1234567890|abcdefghij/i

/** True for a token that was written as an example: `AKIA…EXAMPLE`, `ghp_xxxx…`. @param token at most some hundred characters */
function isExample(token: string): boolean {
  return EXAMPLE.test(token)
}

const counts = new Uint16Array(128)

/** Shannon entropy in bits for each character; characters beyond ASCII count as one. */
export function entropyOf(value: string): number {
  counts.fill(0)
  for (let at = 0; at < value.length; at++) counts[value.charCodeAt(at) & 127]!++
  let bits = 0
  for (const count of counts) if (count > 0) bits -= (count / value.length) * Math.log2(count / value.length)
  return bits
}

/** Dates, paths, host names, addresses of pages: long, and no secret. */
const ORDINARY = /^(?:\d{4}-\d\d-\d\d|https?:|\/|\.{1,2}\/|[a-z]+(?:[-_.][a-z]+)+$|[A-Z]+(?:[-_.][A-Z]+)+$)/

/**
 * True for a value that is rather generated than chosen from words: 16 characters or more of high entropy with a digit. With
 * `isPassword`, 8 characters or more of two classes (letters, digits, others) are enough.
 */
export function isStrong(value: string, isPassword: boolean): boolean {
  if (value.length < 8 || isPlaceholder(value) || ORDINARY.test(value)) return false
  const hasDigit = /\d/.test(value)
  if (isPassword) {
    const classes = [/[a-z]/, /[A-Z]/, /\d/, /[^A-Za-z0-9]/].filter((one) => one.test(value)).length
    return classes >= 2 && entropyOf(value) >= 2.25
  }
  if (value.length < 16 || !hasDigit || !/[A-Za-z]/.test(value) || isExample(value)) return false
  return entropyOf(value) >= 3
}

const BEGIN = /-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----/y
const END = /-----END (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----/y
/** More than an RSA key of 16,384 bits has. */
const KEY_MAX = 16_384

/**
 * A private key in PEM (RFC 7468), with headers or without, also where line breaks are written `\n`. A key without its end is found
 * as far as it goes on. `start` is the place of the first hyphen.
 */
export function privateKeyAt(text: string, start: number): Found | null {
  BEGIN.lastIndex = start
  if (!BEGIN.test(text)) return null
  const stop = Math.min(text.length, start + KEY_MAX)
  let end = BEGIN.lastIndex
  while (end < stop && isOfKey(codeAt(text, end))) {
    if (codeAt(text, end) === 45 && text.startsWith('-----', end)) {
      end = Math.max(end, keyEnd(text, end))
      break
    }
    end++
  }
  return { start, end, kind: 'private_key', confidence: 0.99 }
}

/** The place behind the last line of a key that begins at `start`; -1 where none does. */
export function keyEnd(text: string, start: number): number {
  END.lastIndex = start
  return END.test(text) ? END.lastIndex : -1
}

/** Base64, white space, line breaks as escapes, and what headers contain. */
export function isOfKey(code: number): boolean {
  if (isBase64Url(code) || isWord(code)) return true
  return (
    code === 43 ||
    code === 47 ||
    code === 61 ||
    code === 32 ||
    code === 92 ||
    (code >= 9 && code <= 13) ||
    isOfHeader(code)
  )
}

/** `:`, `,`, `.`, `(`, `)`: `Proc-Type: 4,ENCRYPTED`. */
function isOfHeader(code: number): boolean {
  return code === 58 || code === 44 || code === 46 || code === 40 || code === 41
}
