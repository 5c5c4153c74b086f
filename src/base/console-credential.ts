import { CONSOLE_COOKIES, SECURE_CONSOLE_COOKIES } from './own-cookies.ts'

/** The field that the console sends with each call: a page of another origin cannot send it without a preflight. */
export const CONSOLE_FIELD = 'x-postern-console'

/** What a request says of the session of the console. */
interface Sent {
  /** Value of the Cookie field. */
  readonly cookie: string | undefined
  /** Value of Sec-Fetch-Site. */
  readonly site: string | undefined
  /** Value of {@link CONSOLE_FIELD}. */
  readonly field: string | undefined
}

export type ConsoleCredential =
  | { readonly ok: true; readonly token: string }
  | { readonly ok: false; readonly reason: string }

/** The value of one cookie; null without it, or if it comes more than once. */
export function cookieOf(field: string, name: string): string | null {
  const values = field
    .split(/[;,]/)
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
  return values.length === 1 ? values[0]!.slice(name.length + 1) : null
}

/** The session of the console that counts in a request, or why it does not count; null where no such cookie was sent. */
export function consoleCredential({ cookie, site, field }: Sent): ConsoleCredential | null {
  if (cookie === undefined || !cookie.includes(CONSOLE_COOKIES.session)) return null
  const names = [SECURE_CONSOLE_COOKIES.session, CONSOLE_COOKIES.session]
  if (!names.some((name) => cookie.split(/[;,]/).some((pair) => pair.trim().startsWith(`${name}=`))))
    return null
  if (site !== 'same-origin')
    return {
      ok: false,
      reason:
        'The cookie of the console counts only with Sec-Fetch-Site: same-origin. Call from a page of the console, or send an access token.',
    }
  if (field !== '1')
    return {
      ok: false,
      reason:
        'The cookie of the console counts only with X-Postern-Console: 1. Add this field, or send an access token.',
    }
  for (const name of names) {
    const token = cookieOf(cookie, name)
    if (token !== null) return { ok: true, token }
  }
  return {
    ok: false,
    reason:
      'The cookie of the console was sent more than once. Delete the cookies of this host, and sign in again.',
  }
}
