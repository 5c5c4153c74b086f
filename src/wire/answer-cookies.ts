/** Header lines without the cookies that are refused. */
export function withoutCookies(lines: string, refuses: (value: string) => boolean): string {
  let kept = ''
  for (let at = 0; at < lines.length; ) {
    const end = lines.indexOf('\r\n', at) + 2
    const colon = lines.indexOf(':', at)
    const isCookie = /^set-cookie2?$/i.test(lines.slice(at, colon))
    if (!isCookie || !refuses(lines.slice(colon + 1, end - 2))) kept += lines.slice(at, end)
    at = end
  }
  return kept
}
