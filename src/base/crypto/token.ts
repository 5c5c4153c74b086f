import { createHmac, hash, randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { looksLikeJwt } from './jwt.ts'

/**
 * Tokens that Postern issues: `pst_<kind>_<lookup12>_<secret43>_<check6>`, 70 characters.
 * The lookup finds the stored row, the secret carries 256 bits, the check tells a mistyped or truncated token (and
 * lets scanners recognise a leaked one) without asking anything. Only {@link hashToken} of a token is ever stored.
 */
const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const LENGTH = 70
const LOOKUP_AT = 7
const LOOKUP_LENGTH = 12
const SECRET_LENGTH = 43
const FORM = /^pst_(pk|ht|at|pt|su)_[0-9A-Za-z]{12}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$/

/**
 * `pk`: credential of a profile. `ht`: token of a host for one virtual MCP. `at`: access token of the management surfaces. `pt`: personal token of a user.
 * `su`: in a set-up link.
 */
export type TokenKind = 'pk' | 'ht' | 'at' | 'pt' | 'su'

export interface MintedToken {
  /** The whole token; shown once, then forgotten. */
  readonly token: string
  readonly lookup: string
  /** What is stored. */
  readonly hash: string
}

function randomBase62(length: number): string {
  let text = ''
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      // 248 = 4 * 62: bytes above would favour the first letters of the alphabet
      if (byte < 248 && text.length < length) text += BASE62[byte % 62]!
    }
  }
  return text
}

function checkOf(body: string): string {
  let rest = BigInt(`0x${hash('sha256', body, 'hex').slice(0, 16)}`)
  let text = ''
  for (let i = 0; i < 6; i++) {
    text += BASE62[Number(rest % 62n)]!
    rest /= 62n
  }
  return text
}

/** Makes a new token from 256 bits of randomness. */
export function mintToken(kind: TokenKind): MintedToken {
  const lookup = randomBase62(LOOKUP_LENGTH)
  const body = `pst_${kind}_${lookup}_${randomBase62(SECRET_LENGTH)}`
  const token = `${body}_${checkOf(body)}`
  return { token, lookup, hash: hashToken(token) }
}

/** `pst_js_` and 57 random characters: 64 bytes as text, so it is as long as RFC 7518 section 3.2 asks for HS512. */
export function mintSigningSecret(): string {
  return `pst_js_${randomBase62(57)}`
}

/** `pst_cs_` and 43 random characters: the secret of a service identity as an OAuth client. */
export function mintClientSecret(): string {
  return `pst_cs_${randomBase62(SECRET_LENGTH)}`
}

/** The name by which tokens say which secret signed them. */
export function mintLookup(): string {
  return randomBase62(LOOKUP_LENGTH)
}

/** SHA-256 of the whole token, base64url. One-shot: about 0.5 us, and enough for a secret of 256 bits. */
export function hashToken(token: string): string {
  return hash('sha256', token, 'base64url')
}

/** The lookup part of something shaped like a token of this kind, or null. Cheap: no checksum, for the request path. */
export function lookupOf(kind: TokenKind, token: string): string | null {
  if (token.length !== LENGTH || !token.startsWith(`pst_${kind}_`)) return null
  return token.slice(LOOKUP_AT, LOOKUP_AT + LOOKUP_LENGTH)
}

/** True when the text has the form and the checksum of a token of this kind. */
export function isToken(kind: TokenKind, token: string): boolean {
  if (!FORM.test(token) || !token.startsWith(`pst_${kind}_`)) return false
  return checkOf(token.slice(0, -7)) === token.slice(-6)
}

/** Characters of a key of another gateway that may become a token here: fewer are guessed. */
export const IMPORTED_CHARS_MIN = 16
export const IMPORTED_CHARS_MAX = 512

/** What a lookup of an imported token begins with; lookups of minted tokens have letters and digits alone. */
const IMPORTED_MARK = '~'

/** What is stored of a token, and how it is found. */
export type TokenPrint = Pick<MintedToken, 'lookup' | 'hash'>

/**
 * What is stored of a token that another gateway has issued: HMAC-SHA-512 with a key that is not in the store. Postern did not choose
 * the text, so a plain hash of it could be guessed. 12 and 43 characters, as for minted tokens.
 */
export function printOfImported(key: Uint8Array, text: string): TokenPrint {
  const digest = createHmac('sha512', key).update(text).digest('base64url')
  return { lookup: IMPORTED_MARK + digest.slice(0, 11), hash: digest.slice(11, 54) }
}

/** True for the lookup of an imported token. */
export function isImported({ lookup }: Pick<TokenPrint, 'lookup'>): boolean {
  return lookup.startsWith(IMPORTED_MARK)
}

/** Why a text cannot become a token of a profile; null where it can. The reason has nothing of the text. */
export function importFault(text: string): string | null {
  if (text.length < IMPORTED_CHARS_MIN) return `it has fewer than ${IMPORTED_CHARS_MIN} characters`
  if (text.length > IMPORTED_CHARS_MAX) return `it has more than ${IMPORTED_CHARS_MAX} characters`
  if (!/^[!-~]+$/.test(text)) return 'it has a character that a header cannot contain, such as a space'
  if (text.startsWith('pst_')) return 'it has the form of a token of Postern'
  // Such a token is judged by its signature
  if (looksLikeJwt(text)) return 'it has the form of a JWT'
  return null
}

/**
 * A value that must not be printed. It shows as `[secret]` in templates, JSON, logs and inspection; only
 * {@link Secret.reveal} gives the text, so that every use can be found by its name.
 */
export class Secret {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  /** The text itself. Callers hand it to a cipher or to an upstream, never to a log, error or record. */
  reveal(): string {
    return this.#text
  }

  toString(): string {
    return '[secret]'
  }

  toJSON(): string {
    return '[secret]'
  }

  [inspect.custom](): string {
    return '[secret]'
  }
}
