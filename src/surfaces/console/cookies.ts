import { CONSOLE_HEADER } from '../../base/http/fields.ts'

/**
 * True for a request that a page of this very origin made for the console. Another port of the host is another origin that browsers
 * send cookies to, so the cookie alone proves nothing (Fetch Metadata, `Sec-Fetch-Site`).
 */
export function isFromConsole(headers: Headers): boolean {
  return headers.get('sec-fetch-site') === 'same-origin' && headers.get(CONSOLE_HEADER) === '1'
}
