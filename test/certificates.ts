import {
  createHash,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from 'node:crypto'

/** A certificate made for a test, with its key. */
export interface Issued {
  readonly der: Buffer
  /** PEM. */
  readonly certificate: string
  readonly key: string
  readonly x509: X509Certificate
  /** SHA-256, lower-case hexadecimal. */
  readonly sha256: string
}

export interface Wanted {
  /** Common name. */
  readonly name: string
  /** Null for one that signs itself. */
  readonly issuer?: Issued | null
  readonly ca?: boolean
  readonly dns?: readonly string[]
  readonly uris?: readonly string[]
  readonly addresses?: readonly string[]
  /** Milliseconds since the epoch. */
  readonly from?: number
  readonly until?: number
  /** Extended key usage; none when absent. */
  readonly usage?: 'client' | 'server'
  /** Further extensions in DER; see {@link extension}. */
  readonly extensions?: readonly Buffer[]
}

const DAY_MS = 86_400_000

const tlv = (tag: number, ...parts: readonly Uint8Array[]): Buffer => {
  const content = Buffer.concat(parts)
  const { length } = content
  const size =
    length < 128
      ? [length]
      : length < 256
        ? [0x81, length]
        : [0x82 + (length > 0xffff ? 1 : 0), ...bytesOf(length)]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}
const bytesOf = (length: number): number[] =>
  (length > 0xffff ? [length >> 16] : []).concat([(length >> 8) & 255, length & 255])
const sequence = (...parts: readonly Uint8Array[]): Buffer => tlv(0x30, ...parts)
const oid = (hex: string): Buffer => tlv(6, Buffer.from(hex, 'hex'))
const yes = tlv(1, Buffer.from([255]))
const time = (ms: number): Buffer =>
  tlv(0x18, Buffer.from(`${new Date(ms).toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`))
const ECDSA = sequence(oid('2a8648ce3d040302'))
const bits = (bytes: Uint8Array): Buffer => tlv(3, Buffer.from([0]), bytes)
/** A positive INTEGER. */
const serial = (bytes: Uint8Array): Buffer => tlv(2, bytes)

/** One extension; `value` is the DER in it. */
export function extension(id: string, critical: boolean, value: Uint8Array): Buffer {
  return sequence(oid(id), ...(critical ? [yes] : []), tlv(4, value))
}

const pem = (label: string, der: Uint8Array): string =>
  `-----BEGIN ${label}-----\n${Buffer.from(der)
    .toString('base64')
    .replace(/.{1,64}/g, '$&\n')}-----END ${label}-----\n`

/** Issues a certificate (P-256), valid from an hour ago for a hundred days unless it is said otherwise. */
export function issue(wanted: Wanted): Issued {
  const { name, issuer = null, ca = issuer === null, dns = [], uris = [], addresses = [] } = wanted
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const subject = nameOf(name)
  const names = [
    ...dns.map((text) => tlv(0x82, Buffer.from(text))),
    ...uris.map((text) => tlv(0x86, Buffer.from(text))),
    ...addresses.map((text) => tlv(0x87, Buffer.from(text.split('.').map(Number)))),
  ]
  const extensions = [
    ...(ca ? [extension('551d13', true, sequence(yes))] : []),
    ...(names.length === 0 ? [] : [extension('551d11', false, sequence(...names))]),
    ...(wanted.usage === undefined
      ? []
      : [extension('551d25', false, sequence(oid(`2b0601050507030${wanted.usage === 'client' ? 2 : 1}`)))]),
    ...(wanted.extensions ?? []),
  ]
  const now = Date.now()
  const number = randomBytes(12)
  number[0] = 1
  const body = sequence(
    tlv(0xa0, tlv(2, Buffer.from([2]))),
    serial(number),
    ECDSA,
    issuer === null ? subject : subjectOf(issuer),
    sequence(time(wanted.from ?? now - 3_600_000), time(wanted.until ?? now + 100 * DAY_MS)),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    ...(extensions.length === 0 ? [] : [tlv(0xa3, sequence(...extensions))]),
  )
  const der = signed(body, issuer === null ? privateKey : issuer.key)
  return {
    der,
    certificate: pem('CERTIFICATE', der),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    x509: new X509Certificate(der),
    sha256: createHash('sha256').update(der).digest('hex'),
  }
}

/** A revocation list in PEM. */
export function issueCrl(
  issuer: Issued,
  revoked: readonly Issued[],
  until: number = Date.now() + 7 * DAY_MS,
  extensions: readonly Buffer[] = [],
): string {
  const now = time(Date.now() - 3_600_000)
  const entries = revoked.map(({ x509 }) => sequence(serial(Buffer.from(x509.serialNumber, 'hex')), now))
  const body = sequence(
    tlv(2, Buffer.from([1])),
    ECDSA,
    subjectOf(issuer),
    now,
    time(until),
    ...(entries.length === 0 ? [] : [sequence(...entries)]),
    ...(extensions.length === 0 ? [] : [tlv(0xa0, sequence(...extensions))]),
  )
  return pem('X509 CRL', signed(body, issuer.key))
}

function signed(body: Buffer, key: string | KeyObject): Buffer {
  return sequence(body, ECDSA, bits(sign('sha256', body, key)))
}

function nameOf(name: string): Buffer {
  return sequence(tlv(0x31, sequence(oid('550403'), tlv(0x0c, Buffer.from(name)))))
}

function subjectOf({ x509 }: Issued): Buffer {
  return nameOf(x509.subject.slice('CN='.length))
}
