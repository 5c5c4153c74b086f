/** Header by which the console says that it made a request. Other sites cannot send it without asking, and nobody answers that. */
export const CONSOLE_HEADER = 'x-postern-console'

/**
 * True for a request that a page of this very origin made for the console. Another port of the host is another origin that browsers
 * send cookies to, so the cookie alone proves nothing (Fetch Metadata, `Sec-Fetch-Site`).
 */
export function isFromConsole(headers: Headers): boolean {
  return headers.get('sec-fetch-site') === 'same-origin' && headers.get(CONSOLE_HEADER) === '1'
}

/** Values of the cookies of a name (RFC 6265 section 5.4), in the order in which they came. */
export function cookiesOf(field: string | null, name: string): readonly string[] {
  return (field ?? '')
    .split(/[;,]/)
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1))
}
