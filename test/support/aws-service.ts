import { createHash, createHmac } from 'node:crypto'
import type { Seen } from '../scenarios/upstream.ts'

/**
 * Judges a request as a service would that shares the secret: from what has arrived alone. Gives what is wrong with the
 * signature, or null.
 */
export function awsFault(seen: Seen, secret: string): string | null {
  const { authorization = '', ...headers } = seen.headers
  const [, keyId, date, region, service, names, signature] =
    /^AWS4-HMAC-SHA256 Credential=(\w+)\/(\d{8})\/([\w-]+)\/([\w-]+)\/aws4_request, SignedHeaders=([\w;-]+), Signature=([0-9a-f]{64})$/.exec(
      authorization,
    ) ?? []
  if (keyId === undefined || names === undefined) return 'no signature'
  const time = String(headers['x-amz-date'])
  if (!time.startsWith(String(date))) return 'the day is not that of the scope'
  const signed = names.split(';')
  const must = Object.keys(headers).filter((name) => name === 'host' || name.startsWith('x-amz-'))
  if (must.sort().join(';') !== names) return `signed are ${signed}, and not ${must}`
  const hash = headers['x-amz-content-sha256'] ?? createHash('sha256').update(seen.body).digest('hex')
  if (hash !== 'UNSIGNED-PAYLOAD' && hash !== createHash('sha256').update(seen.body).digest('hex'))
    return 'the hash is not that of the body'
  const [, path = '', query = ''] = /^([^?]*)(.*)$/.exec(seen.url) ?? []
  const escaped = (text: string): string =>
    encodeURIComponent(text).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`)
  const parameters = [...new URLSearchParams(query)]
    .map(([name, value]) => [escaped(name), escaped(value)] as const)
    .sort(([a, x], [b, y]) => (a === b ? (x < y ? -1 : 1) : a < b ? -1 : 1))
    .map((pair) => pair.join('='))
  const segments = path.split('/').map((part) => escaped(service === 's3' ? decodeURIComponent(part) : part))
  const lines = signed.map((name) => `${name}:${String(headers[name]).replace(/ +/g, ' ')}\n`)
  const canonical = `${seen.method}\n${segments.join('/')}\n${parameters.join('&')}\n${lines.join('')}\n${names}\n${hash}`
  const digest = createHash('sha256').update(canonical).digest('hex')
  const key = [String(date), String(region), String(service), 'aws4_request'].reduce<Buffer>(
    (last, part) => createHmac('sha256', last).update(part).digest(),
    Buffer.from(`AWS4${secret}`),
  )
  const text = `AWS4-HMAC-SHA256\n${time}\n${date}/${region}/${service}/aws4_request\n${digest}`
  const wanted = createHmac('sha256', key).update(text).digest('hex')
  return wanted === signature ? null : 'the signature does not match'
}
