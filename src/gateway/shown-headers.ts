/** Headers of an answer that are shown where it is told of in another answer. */
const SHOWN_HEADERS = new Set([
  'content-type',
  'content-language',
  'content-disposition',
  'etag',
  'last-modified',
  'link',
  'location',
  'ratelimit',
  'ratelimit-policy',
  'retry-after',
  'x-total-count',
  'deprecation',
  'x-cache',
  'age',
  'idempotency-replayed',
  'sunset',
])

/** Those of a block of header lines, names in lower case. */
export function shownHeaders(fields: string): Record<string, string> {
  const shown: Record<string, string> = {}
  let at = 0
  while (at < fields.length) {
    const end = fields.indexOf('\r\n', at)
    const stop = end === -1 ? fields.length : end
    const colon = fields.indexOf(':', at)
    if (colon !== -1 && colon < stop) {
      const name = fields.slice(at, colon).toLowerCase()
      if (SHOWN_HEADERS.has(name)) {
        const value = fields.slice(colon + 1, stop).trim()
        shown[name] = shown[name] === undefined ? value : `${shown[name]}, ${value}`
      }
    }
    at = stop + 2
  }
  return shown
}
