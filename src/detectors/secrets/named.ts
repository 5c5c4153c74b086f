/** Values behind names such as `password` and `api_key`. */
import { isSecretName } from '../../base/text/mask.ts'
import { codeAt, type Found, isBase64Url } from '../chars.ts'
import { isStrong } from './tokens.ts'

const NAME_MAX = 64
const VALUE_MAX = 512
const SPACES_MAX = 3

/** Names of places in a list, of counts and of forms. */
const NO_SECRET =
  /(page|next|prev(ious)?|continu(e|ation)|cursor|sync|pagination|list|resume|delta|max|csrf|idempotency)[-_. ]?token$/i
const PASSWORD = /pass(word|wd|phrase|code)$|pwd$/i
/** In a query, what tells the place in a list; up to the parameter `token` of the same query. */
const PAGED =
  /[?&](?:offset|cursor|start|page|page_?size|limit|per_?page)=[^&\s"'<>#]{0,64}&(?:[^\s"'<>#?]{0,64}&)?$/i
const PAGED_CHARS = 160
/** A token of a session or a key has more. */
const PAGE_TOKEN_MAX = 20
/**
 * By the last two letters of a name, five bits each: 0 for no name that `isSecretName` knows, which most are.
 */
export const NAME_ENDS = new Uint8Array(1024)
for (const letters of ['ey', 'rd', 'wd', 'se', 'de', 'et', 'en', 'on', 'ie', 'wt', 'er'])
  NAME_ENDS[lastOf(letters)] = 1

function lastOf(name: string): number {
  return (codeAt(name, name.length - 2) & 31) * 32 + (codeAt(name, name.length - 1) & 31)
}

/** True for a name that is worth a look. */
function mayBeSecret(name: string): boolean {
  return NAME_ENDS[lastOf(name)] === 1 && isSecretName(name) && !NO_SECRET.test(name)
}

/** A whole text as the value of a member of this name. */
export function namedValue(text: string, name: string): Found | null {
  if (text.length < 8 || text.length > VALUE_MAX || !mayBeSecret(name)) return null
  const start = credentialsFrom(text, 0)
  if (/\s/.test(text) && !PASSWORD.test(name) && start === 0) return null
  if (!isStrong(text.slice(start), PASSWORD.test(name))) return null
  return { start, end: text.length, kind: 'named', confidence: 0.75 }
}

/** The value behind a name that ends at `end`, parted by `:`, `=` or `=>`, in quotation marks or not, also in JSON within JSON. */
export function valueBehind(text: string, start: number, end: number): Found | null {
  const assigned = assignmentFrom(text, end)
  if (assigned < 0) return null
  let from = start
  while (end - from < NAME_MAX && isBase64Url(codeAt(text, from - 1))) from--
  const name = text.slice(Math.max(from, end - NAME_MAX), end)
  if (!mayBeSecret(name)) return null
  const found = literalFrom(text, assigned, PASSWORD.test(name))
  return found !== null && name === 'token' && isOfPage(text, from, found) ? null : found
}

/** True for a short token in a query that asks for a page of a list: it tells where the page begins. */
function isOfPage(text: string, nameStart: number, { start, end }: Found): boolean {
  return (
    end - start < PAGE_TOKEN_MAX && PAGED.test(text.slice(Math.max(0, nameStart - PAGED_CHARS), nameStart))
  )
}

/** The place behind `:`, `=` and spaces, or -1. */
function assignmentFrom(text: string, end: number): number {
  let at = spacesFrom(text, quoteFrom(text, end))
  const code = codeAt(text, at)
  if (code !== 58 && code !== 61) return -1
  at++
  // => and :=
  const second = codeAt(text, at)
  if ((code === 61 && second === 62) || (code === 58 && second === 61)) at++
  return spacesFrom(text, at)
}

function spacesFrom(text: string, from: number): number {
  let at = from
  while (at - from < SPACES_MAX && codeAt(text, at) === 32) at++
  return at
}

/** The place behind a quotation mark with at most three backslashes before it; `from` where there is none. */
function quoteFrom(text: string, from: number): number {
  let at = from
  while (at - from < 3 && codeAt(text, at) === 92) at++
  return isQuote(codeAt(text, at)) ? at + 1 : from
}

function isQuote(code: number): boolean {
  return code === 34 || code === 39 || code === 96
}

/** Ends a value that stands in no quotation marks. */
const UNQUOTED_ENDS = new Set([...' \t\r\n,;&<>"\'`\\)}]'].map((char) => char.charCodeAt(0)))

function literalFrom(text: string, from: number, isPassword: boolean): Found | null {
  const quoted = quoteFrom(text, from)
  const quote = quoted === from ? 0 : codeAt(text, quoted - 1)
  const start = credentialsFrom(text, quoted)
  const stop = Math.min(text.length, start + VALUE_MAX)
  let end = start
  for (; end < stop; end++) {
    const code = codeAt(text, end)
    if (quote === 0 ? UNQUOTED_ENDS.has(code) : code === quote || code === 10) break
    // An escaped character of the value, or the backslashes of its own quotation mark
    if (quote !== 0 && code === 92 && quoted - from === 1) end++
    else if (code === 92) break
  }
  if (end - start >= VALUE_MAX) return null
  end = Math.min(end, text.length)
  if (!isStrong(text.slice(start, end), isPassword)) return null
  return { start, end, kind: 'named', confidence: 0.7 }
}

const SCHEMES = ['bearer ', 'basic ', 'token ', 'apikey ', 'digest ']

/** The place behind the name of an authentication scheme (RFC 9110 section 11.1). */
function credentialsFrom(text: string, from: number): number {
  const begin = text.slice(from, from + 8).toLowerCase()
  return from + (SCHEMES.find((scheme) => begin.startsWith(scheme))?.length ?? 0)
}
