/** Finds the session cookie of the console in a request, and requests that a page of the console has sent. */
import { cookieValues, ownCookieNames } from '../../base/http/fields.ts'
import { CONSOLE, COOKIE } from '../../gateway/fields.ts'
import { fieldValue } from '../../gateway/header-lines.ts'
import type { Incoming } from '../../wire/port.ts'

/**
 * Values of session cookies of the console, in the order in which they count; none in requests that do not say that the console made them.
 *
 * @param isSecure the console is reached over HTTPS, where only the name with a prefix counts: other hosts of the domain can set the
 * other one. Null: not known, and both are given.
 */
export function consoleSessions(
  { taken }: Pick<Incoming, 'taken'>,
  isSecure: boolean | null,
): readonly string[] {
  if (taken[CONSOLE] !== '1') return []
  const cookies = taken[COOKIE] ?? ''
  const names = (isSecure === null ? [true, false] : [isSecure]).map((one) => ownCookieNames(one).console)
  return names.flatMap((name) => cookieValues(cookies, name))
}

/** True for a request that a page of this very origin made for the console; see `surfaces/console/cookies`. */
export function isOfConsolePage({ taken, pass }: Pick<Incoming, 'taken' | 'pass'>): boolean {
  return taken[CONSOLE] === '1' && fieldValue(pass, 'sec-fetch-site') === 'same-origin'
}
