import { hash, randomBytes } from 'node:crypto'
import { inspect } from 'node:util'

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
