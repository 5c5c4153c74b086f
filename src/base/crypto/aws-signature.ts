/** AWS Signature Version 4, as the "AWS General Reference" describes it; header form alone. */
import { createHash, createHmac } from 'node:crypto'
import type { Secret } from './token.ts'

/** Who signs, for one service of one region. */
export interface AwsSigner {
  readonly accessKeyId: string
  readonly secret: Secret
  readonly region: string
  readonly service: string
  /** The bodies of requests are part of what is signed. */
  readonly signsPayload: boolean
}

/** What is signed of a request. */
export interface SignedRequest {
  readonly method: string
  readonly host: string
  /** Origin form, as it is sent: visible ASCII. */
  readonly target: string
  /** Header lines that are sent, each ending in CRLF; those of {@link AWS_FIELDS} must not be among them. */
  readonly fields: string
  /** Null where it is not signed. */
  readonly body: Uint8Array | null
}

/** Lower-case names of the fields that a signature sets. */
export const AWS_FIELDS: ReadonlySet<string> = new Set([
  'authorization',
  'x-amz-date',
  'x-amz-content-sha256',
  'x-amz-security-token',
])

const ALGORITHM = 'AWS4-HMAC-SHA256'
/** Storage services take the hash from a field, and can do without one. */
const UNSIGNED = 'UNSIGNED-PAYLOAD'

/** The header lines that sign a request. @param now milliseconds since the epoch. */
export function signAws(signer: AwsSigner, request: SignedRequest, now: number): string {
  const { region, service, accessKeyId } = signer
  const time = new Date(now).toISOString().replace(/[:-]|\.\d{3}/g, '')
  const date = time.slice(0, 8)
  const hash = request.body === null ? UNSIGNED : sha256(request.body)
  const showsHash = service === 's3' || request.body === null
  const own = `X-Amz-Date: ${time}\r\n${showsHash ? `X-Amz-Content-Sha256: ${hash}\r\n` : ''}`
  const headers = signedHeaders(request.host, request.fields + own)
  const names = headers.map(([name]) => name).join(';')
  const mark = request.target.indexOf('?')
  const end = mark < 0 ? request.target.length : mark
  const canonical = [
    request.method,
    canonicalPath(request.target.slice(0, end), service),
    canonicalQuery(request.target.slice(end + 1)),
    ...headers.map(([name, value]) => `${name}:${value}`),
    '',
    names,
    hash,
  ].join('\n')
  const scope = `${date}/${region}/${service}/aws4_request`
  const text = `${ALGORITHM}\n${time}\n${scope}\n${sha256(canonical)}`
  const signature = hmac(signingKey(signer, date), text).toString('hex')
  return `${own}Authorization: ${ALGORITHM} Credential=${accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}\r\n`
}

function sha256(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex')
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

/** Keys hold for a day; the last one of each signer. */
const keys = new WeakMap<AwsSigner, { readonly date: string; readonly key: Buffer }>()

function signingKey(signer: AwsSigner, date: string): Buffer {
  const known = keys.get(signer)
  if (known?.date === date) return known.key
  const dated = hmac(`AWS4${signer.secret.reveal()}`, date)
  const key = hmac(hmac(hmac(dated, signer.region), signer.service), 'aws4_request')
  keys.set(signer, { date, key })
  return key
}

/** Host and everything that begins with `x-amz-`, by name, values joined and their spaces folded. */
function signedHeaders(host: string, fields: string): readonly (readonly [string, string])[] {
  const values = new Map([['host', host]])
  for (const line of fields.split('\r\n')) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    if (!name.startsWith('x-amz-')) continue
    const value = line
      .slice(colon + 1)
      .trim()
      .replace(/ +/g, ' ')
    const known = values.get(name)
    values.set(name, known === undefined ? value : `${known},${value}`)
  }
  return [...values].sort(([a], [b]) => (a < b ? -1 : 1))
}

/** Storage services encode a path once, all others what was sent once more. */
function canonicalPath(path: string, service: string): string {
  return path
    .split('/')
    .map((segment) => (service === 's3' ? encodedOnce(segment) : encoded(segment)))
    .join('/')
}

function canonicalQuery(query: string): string {
  return query
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair): readonly [string, string] => {
      const at = pair.indexOf('=')
      const end = at < 0 ? pair.length : at
      const part = (text: string): string => encodedOnce(text.replaceAll('+', '%20'))
      return [part(pair.slice(0, end)), part(pair.slice(end + 1))]
    })
    .sort(([a, x], [b, y]) => (a === b ? (x < y ? -1 : 1) : a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

/** Everything but unreserved characters as escapes (RFC 3986 section 2.3). */
function encoded(text: string): string {
  return text.replace(/[^A-Za-z0-9._~-]/g, escapeOf)
}

/** The same for a text that has escapes already. */
function encodedOnce(text: string): string {
  return text.replace(/%([0-9A-Fa-f]{2})|[^A-Za-z0-9._~-]/g, (match, hex: string | undefined) => {
    if (hex === undefined) return escapeOf(match)
    const plain = String.fromCharCode(Number.parseInt(hex, 16))
    return /[A-Za-z0-9._~-]/.test(plain) ? plain : match.toUpperCase()
  })
}

function escapeOf(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
}
