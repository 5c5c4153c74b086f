import { isToken } from './grammar.ts'

/** Connection-specific fields (RFC 9113 8.2.2). HTTP/2 frames its messages itself: a request that has one is malformed. */
const OF_CONNECTIONS: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
])

const PSEUDO: ReadonlySet<string> = new Set([':method', ':scheme', ':authority', ':path'])

/** What fits on the first line of a head: neither spaces nor control characters. */
const VISIBLE = /^[\x21-\x7e\x80-\xff]+$/
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/**
 * The head of an HTTP/2 request as a head of HTTP/1.1, for the one reader that judges targets, hosts and fields.
 * `pairs` are names and values in turn, as received; `hasBody` says that data follows. Null for a request that is
 * malformed in ways which only HTTP/2 has (RFC 9113 8.1.1): its stream is reset.
 */
export function requestHead(pairs: readonly string[], hasBody: boolean): Buffer | null {
  const pseudo = new Map<string, string>()
  let lines = ''
  let cookie = ''
  let host: string | undefined
  let length: string | undefined
  for (let i = 0; i < pairs.length; i += 2) {
    const name = pairs[i]!
    const value = pairs[i + 1]!
    if (name.startsWith(':')) {
      // Pseudo-header fields stand before all others, each once
      if (lines !== '' || cookie !== '' || host !== undefined || pseudo.has(name) || !PSEUDO.has(name))
        return null
      pseudo.set(name, value)
      continue
    }
    if (!isToken(name) || name !== name.toLowerCase() || !VALUE.test(value)) return null
    if (OF_CONNECTIONS.has(name) || (name === 'te' && value.toLowerCase() !== 'trailers')) return null
    // RFC 9113 8.2.3: crumbs of one cookie
    if (name === 'cookie') cookie = cookie === '' ? value : `${cookie}; ${value}`
    else if (name === 'host' && host === undefined) host = value
    else {
      if (name === 'content-length') length = value
      lines += `${name}: ${value}\r\n`
    }
  }
  const target = targetOf(pseudo)
  if (target === null || (!hasBody && length !== undefined && Number(length) !== 0)) return null
  const authority = pseudo.get(':authority')
  if (authority !== undefined && !VALUE.test(authority)) return null
  let head = `${pseudo.get(':method')} ${target} HTTP/1.1\r\n`
  if (authority !== undefined) head += `Host: ${authority}\r\n`
  // Two that differ stay two, and are refused as such
  if (host !== undefined && host.toLowerCase() !== authority?.toLowerCase()) head += `Host: ${host}\r\n`
  if (cookie !== '') head += `Cookie: ${cookie}\r\n`
  if (hasBody && length === undefined) head += 'Transfer-Encoding: chunked\r\n'
  return Buffer.from(`${head}${lines}Connection: close\r\n\r\n`, 'latin1')
}

/** What stands on the first line; null when the pseudo-header fields make no request (RFC 9113 8.3.1). */
function targetOf(pseudo: ReadonlyMap<string, string>): string | null {
  const method = pseudo.get(':method') ?? ''
  if (!isToken(method)) return null
  const scheme = pseudo.get(':scheme')
  const path = pseudo.get(':path')
  const isConnect = method === 'CONNECT'
  const target = (isConnect ? pseudo.get(':authority') : path) ?? ''
  if (!VISIBLE.test(target)) return null
  // RFC 9113 8.5: no scheme and no path then
  if (isConnect) return scheme === undefined && path === undefined ? target : null
  const isForm = target.startsWith('/') || target === '*'
  return isForm && (scheme === 'https' || scheme === 'http') ? target : null
}
