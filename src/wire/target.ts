import { isIPv4, isIPv6 } from 'node:net'

/**
 * The one reading of a request target. What comes out of here is matched, forwarded, counted and recorded, so that
 * no later reader can see another path. Everything that two servers could read differently gives null.
 */
export interface CanonicalTarget {
  /** Starts with `/`. Unreserved characters decoded, other escapes with upper-case digits. */
  readonly path: string
  /** Without `?`, as sent; empty when there is none. */
  readonly query: string
}

const PLAIN = 1
const SLASH = 2
const DOT = 3
const SEMICOLON = 4
const PERCENT = 5

/** Path characters of RFC 3986 3.3. No `\`, `#`, `"`, `<`, `>`, `[`, `]`, `^`, `` ` ``, `{`, `|`, `}`, nothing above 0x7e. */
const PATH = new Uint8Array(128)
for (const char of "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_~!$&'()*+,=:@")
  PATH[char.charCodeAt(0)] = PLAIN
PATH[0x2f] = SLASH
PATH[0x2e] = DOT
PATH[0x3b] = SEMICOLON
PATH[0x25] = PERCENT

const UNRESERVED = /^[A-Za-z0-9._~-]$/
const ESCAPE = /%([0-9A-Fa-f]{2})/g
/**
 * A segment that is empty, or dots before its parameters: `..;a` is read as `..` by some servers. Others drop spaces after the dots. A
 * segment that begins with its parameters (`;id=5`) passes: the route decides, see `hasBareParameters`. The first one does not, since it
 * is never of a route.
 */
const DOT_SEGMENT = /^(?:\.{1,2}(?:%20)*(?:;|%3B|$)|$)/
/** Escapes of an escape whose meaning is a dot, slash, backslash, semicolon, control or broken UTF-8, at any depth. */
const DOUBLE = /%25(?:25)*(?:2[EFef]|5[Cc]|3[Bb]|[01][0-9A-Fa-f]|7[Ff]|[Cc][01])/

/**
 * Path and query of an origin-form target (RFC 9112 3.2.1), or null when it can be read in two ways.
 * @param slashesBelow A path below which a slash may be encoded, since whoever answers there reads both forms as one; null for none.
 */
export function canonicalTarget(target: string, slashesBelow: string | null = null): CanonicalTarget | null {
  const mark = target.indexOf('?')
  const end = mark < 0 ? target.length : mark
  const path = canonicalPath(target, end, slashesBelow)
  if (path === null) return null
  if (mark < 0) return { path, query: '' }
  for (let i = mark + 1; i < target.length; i++) {
    const code = target.charCodeAt(i)
    // Visible ASCII; a fragment is not part of a target, and a backslash is a slash to some
    if (code < 0x21 || code > 0x7e || code === 0x23 || code === 0x5c) return null
  }
  return { path, query: target.slice(mark + 1) }
}

function canonicalPath(target: string, end: number, slashesBelow: string | null): string | null {
  if (end === 0 || target.charCodeAt(0) !== 0x2f) return null
  let segment = 1
  let dots = 0
  for (let i = 1; i < end; i++) {
    const code = target.charCodeAt(i)
    const kind = code < 128 ? PATH[code]! : 0
    if (kind === PLAIN) continue
    if (kind === 0) return null
    if (kind === DOT) dots++
    else if (kind === PERCENT) return decodedPath(target.slice(0, end), slashesBelow)
    else {
      if (isDots(segment, i, dots) && (kind === SLASH || dots > 0 || segment === 1)) return null
      if (kind === SLASH) {
        segment = i + 1
        dots = 0
      } else {
        // Parameters follow up to the next slash; their dots do not count
        const slash = target.indexOf('/', i)
        if (!isPlain(target, i, slash < 0 || slash > end ? end : slash))
          return decodedPath(target.slice(0, end), slashesBelow)
        if (slash < 0 || slash >= end) return target.slice(0, end)
        i = slash
        segment = i + 1
        dots = 0
      }
    }
  }
  // One trailing slash is significant and kept: only the last segment may be empty
  if (segment < end && isDots(segment, end, dots)) return null
  return end === target.length ? target : target.slice(0, end)
}

/** True for an empty segment, `.` and `..`. */
function isDots(from: number, to: number, dots: number): boolean {
  return to - from === dots && dots <= 2
}

function isPlain(target: string, from: number, to: number): boolean {
  for (let i = from; i < to; i++) {
    const code = target.charCodeAt(i)
    const kind = code < 128 ? PATH[code]! : 0
    if (kind === 0 || kind === PERCENT) return false
  }
  return true
}

/** The rare way: a path with escapes, parameters that need a look, or bytes to refuse. */
function decodedPath(path: string, slashesBelow: string | null): string | null {
  const mayHideSlash = slashesBelow !== null && path.startsWith(`${slashesBelow}/`)
  for (let i = 0; i < path.length; i++) {
    const code = path.charCodeAt(i)
    if (code >= 128 || PATH[code] === 0) return null
    if (code === 0x25 && !/^[0-9A-Fa-f]{2}$/.test(path.slice(i + 1, i + 3))) return null
  }
  let forbidden = false
  const canonical = path.replace(ESCAPE, (_whole, digits: string) => {
    const code = Number.parseInt(digits, 16)
    if (code < 0x20 || code === 0x7f || (code === 0x2f && !mayHideSlash) || code === 0x5c) forbidden = true
    const char = String.fromCharCode(code)
    return UNRESERVED.test(char) ? char : `%${digits.toUpperCase()}`
  })
  if (forbidden || DOUBLE.test(canonical) || !isUtf8(canonical)) return null
  if (/^\/(?:;|%3B)/.test(canonical)) return null
  const segments = canonical.slice(1).split(/\/|%2F/)
  for (const [index, segment] of segments.entries()) {
    const isLast = index === segments.length - 1
    if (DOT_SEGMENT.test(segment) && !(isLast && segment === '')) return null
  }
  return canonical
}

/** Escaped bytes above 0x7f form valid UTF-8: `%c0%ae` is an overlong dot to a careless decoder. */
function isUtf8(path: string): boolean {
  if (!/%[89A-F]/.test(path)) return true
  try {
    return decodeURIComponent(path) !== ''
  } catch {
    return false
  }
}

const NAME = /^[a-z0-9_](?:[a-z0-9_.~-]{0,253}[a-z0-9_.])?$/
/** A last label that makes URL parsers read the whole name as an IPv4 address: `1.2`, `0x7f.1`, `256.1.1.1`. */
const NUMBER = /(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)\.?$/
const PORT = /^[1-9][0-9]{0,4}$/

/**
 * Lower-case form of a Host field or target authority (RFC 9110 4.2, RFC 3986 3.2) or null when it is none: user
 * information, a path, an empty name, a number that is no IPv4 address to all, an empty or impossible port, escapes. The port stays as sent.
 */
export function canonicalAuthority(authority: string): string | null {
  const lower = authority.toLowerCase()
  let nameEnd = lower.lastIndexOf(':')
  if (lower.charCodeAt(0) === 0x5b) {
    const bracket = lower.indexOf(']')
    if (bracket < 0 || lower.includes('%') || !isIPv6(lower.slice(1, bracket))) return null
    if (bracket === lower.length - 1) return lower
    if (nameEnd !== bracket + 1) return null
  } else {
    if (nameEnd < 0) nameEnd = lower.length
    const name = lower.slice(0, nameEnd)
    if (!NAME.test(name) || name.includes('..')) return null
    if (NUMBER.test(name) && !isIPv4(name)) return null
    if (nameEnd === lower.length) return lower
  }
  const port = lower.slice(nameEnd + 1)
  return PORT.test(port) && Number(port) <= 65_535 ? lower : null
}

/** Methods that may be sent twice (RFC 9110 9.2.2). */
export function isIdempotent(method: string): boolean {
  return method !== 'POST' && method !== 'PATCH'
}
