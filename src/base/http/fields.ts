/** Fields of HTTP messages that several layers read or write: cookies, bearer tokens, dates, and those of the console. */

/**
 * Cookies that the authorization server and the console give to browsers. Their path holds all that is served at the origin, so a
 * browser sends them with calls of published APIs too, and whoever runs an upstream could use them.
 */
const NAMES = {
  session: 'postern_session',
  interaction: 'postern_interaction',
  resume: 'postern_resume',
  /** A person who has just set up the first administrator. */
  arrival: 'postern_arrival',
  /** The session of the console. */
  console: 'postern_console',
  /** A sign-in at the console that is under way. */
  consoleSignIn: 'postern_console_sign_in',
}

/** The names bind cookies to this host, or to secure connections, wherever browsers can hold to that. */
const SECURE_NAMES = {
  session: `__Host-${NAMES.session}`,
  interaction: `__Secure-${NAMES.interaction}`,
  resume: `__Secure-${NAMES.resume}`,
  arrival: `__Host-${NAMES.arrival}`,
  console: `__Host-${NAMES.console}`,
  consoleSignIn: `__Host-${NAMES.consoleSignIn}`,
}

/** @param isSecure the origin is one of https. */
export function ownCookieNames(isSecure: boolean): typeof NAMES {
  return isSecure ? SECURE_NAMES : NAMES
}

/** In every name of ours. */
const MARK = 'postern_'

const ALL = [...Object.values(NAMES), ...Object.values(SECURE_NAMES)].join('|')

/**
 * A cookie of ours with what stands before it, signatures (`.sig`) included. Commas too: some proxies join fields by
 * them.
 */
const OWN = new RegExp(`(?:^|[;,])[\\t ]*(?:${ALL})(?:\\.[a-z.]*)?[\\t ]*(?:=[^;,]*)?(?=[;,]|$)`, 'g')

/** False for most: the value of a Cookie field has none of ours then. */
export function mayHaveOwnCookies(value: string): boolean {
  return value.includes(MARK)
}

/**
 * Names that browsers send back as ours: with prefixes (RFC 6265bis 4.1.3, in any case), and without a name but with a value that
 * looks like one (`=postern_session=x` is sent as `postern_session=x`).
 */
const OWN_SET = /^[\s=]*(?:__[a-z]+(?:-[a-z]+)*-)*postern_/i

/** True for the value of a Set-Cookie field that would set a cookie of ours: no upstream has any business with them. */
export function isOwnSetCookie(value: string): boolean {
  return OWN_SET.test(value)
}

/** Header lines without our cookies; the others as they were, and no field that nothing is left of. */
export function withoutOwnCookies(lines: string): string {
  let kept = ''
  let at = 0
  while (at < lines.length) {
    const end = lines.indexOf('\r\n', at) + 2
    const colon = lines.indexOf(':', at)
    const line = lines.slice(at, end)
    kept +=
      lines.slice(at, colon).toLowerCase() === 'cookie' && mayHaveOwnCookies(line) ? cleaned(line) : line
    at = end
  }
  return kept
}

function cleaned(line: string): string {
  const from = line.indexOf(':') + 1
  const value = line.slice(from, -2).trim()
  const rest = value.replace(OWN, '')
  if (rest === value) return line
  // What stood before the next one separated it from ours
  const left = rest.replace(/^[;,\t ]+/, '')
  return left === '' ? '' : `${line.slice(0, from)} ${left}\r\n`
}

/** Header by which the console says that it made a request. Other sites cannot send it without asking, and nobody answers that. */
export const CONSOLE_HEADER = 'x-postern-console'

/** Says whether the browser has a session: a refusal would be an error in its log. */
export const CONSOLE_SESSION_PATH = '/console/session'
/** Ends the session. */
export const CONSOLE_LOGOUT_PATH = '/console/logout'

/** Before the value of a session of the console, where it stands in the place of a token. No token begins so. */
export const SESSION_MARK = 'console:'

/** Different cookies of one name that are looked at. A page can make a browser send about two for each segment of a path. */
const COOKIES_MAX = 64

/**
 * Different values of the cookies of a name (RFC 6265 section 5.4), in the order in which they came: the last {@link COOKIES_MAX}. A
 * browser may hold several, and the first may be somebody else's: what another port of the host has set for a longer path comes
 * before ours.
 */
export function cookieValues(field: string | null, name: string): readonly string[] {
  const pairs = (field ?? '')
    .split(/[;,]/)
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
  return [...new Set(pairs)].slice(-COOKIES_MAX).map((pair) => pair.slice(name.length + 1))
}

/**
 * What stands after `Bearer` in an Authorization field (RFC 6750 section 2.1); empty when the field is absent or of
 * another scheme. The scheme is case-insensitive (RFC 9110 section 11.1).
 */
export function bearerOf(authorization: string | null | undefined): string {
  if (authorization == null) return ''
  if (authorization.startsWith('Bearer ') && authorization.charCodeAt(7) !== 0x20)
    return authorization.slice(7)
  return /^bearer +/i.test(authorization) ? authorization.replace(/^bearer +/i, '') : ''
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

const DAY = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)'
const TIME = '(?<hour>\\d{2}):(?<minute>\\d{2}):(?<second>\\d{2})'
const FORMS = [
  new RegExp(`^${DAY}, (?<day>\\d{2}) (?<month>[A-Z][a-z]{2}) (?<year>\\d{4}) ${TIME} GMT$`),
  new RegExp(
    `^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?<day>\\d{2})-(?<month>[A-Z][a-z]{2})-(?<year>\\d{2}) ${TIME} GMT$`,
  ),
  new RegExp(`^${DAY} (?<month>[A-Z][a-z]{2}) (?<day>\\d{2}| \\d) ${TIME} (?<year>\\d{4})$`),
]

/**
 * A date of HTTP (RFC 9110 5.6.7), in milliseconds since the epoch; null for what is none. Whether the day of the week fits
 * is not looked at.
 * @param now decides the century of a year that has two digits.
 */
export function parseHttpDate(text: string, now: number): number | null {
  for (const form of FORMS) {
    const found = form.exec(text)?.groups
    if (found === undefined) continue
    const month = MONTHS.indexOf(found['month']!)
    const [day, hour, minute, second] = ['day', 'hour', 'minute', 'second'].map((part) => Number(found[part]))
    const year = found['year']!.length === 2 ? yearOf(Number(found['year']), now) : Number(found['year'])
    const date = new Date(0)
    // Unlike Date.UTC this takes the years 0 to 99 for what they are.
    date.setUTCFullYear(year, month, day)
    if (month === -1 || date.getUTCDate() !== day || hour! > 23 || minute! > 59 || second! > 60) return null
    return date.setUTCHours(hour!, minute!, second!)
  }
  return null
}

const SECONDS = /^\d{1,9}(?:\.\d{1,9})?$/

/** Until when `Retry-After` asks to wait (RFC 9110 10.2.3), milliseconds since the epoch; null for what is no such value. */
export function parseRetryAfter(text: string, now: number): number | null {
  return SECONDS.test(text) ? now + Number(text) * 1000 : parseHttpDate(text, now)
}

/** A year more than 50 years ahead is the past one with these digits. */
function yearOf(digits: number, now: number): number {
  const current = new Date(now).getUTCFullYear()
  const year = current - (current % 100) + digits
  return year > current + 50 ? year - 100 : year
}
