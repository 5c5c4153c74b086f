import { createHash, type KeyObject, verify, X509Certificate } from 'node:crypto'

/** One value of DER (X.690): strict, so that bytes can be read in one way only. */
interface Der {
  /** Identifier octet: class, constructed bit, number below 31. */
  readonly tag: number
  readonly content: Uint8Array
  /** Identifier, length and content. */
  readonly whole: Uint8Array
}

const DER = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
} as const

/** Reads bytes that are one value. Throws a RangeError on anything else. */
function readDer(bytes: Uint8Array): Der {
  const value = valueAt(bytes, 0)
  if (value.whole.length !== bytes.length) throw new RangeError('bytes follow the value')
  return value
}

/** The values in a constructed one. Throws a RangeError where it holds anything else. */
function derItems({ tag, content }: Der): Der[] {
  if ((tag & 0x20) === 0) throw new RangeError('a primitive value holds no others')
  const items: Der[] = []
  for (let at = 0; at < content.length; ) {
    const item = valueAt(content, at)
    items.push(item)
    at += item.whole.length
  }
  return items
}

/** Content of a value as hexadecimal text, when it has the tag. Throws a RangeError otherwise. */
function derHex(value: Der | undefined, tag: number): string {
  if (value?.tag !== tag || value.content.length === 0) throw new RangeError('a value has an unexpected type')
  return Buffer.from(value.content).toString('hex')
}

/** A UTCTime or GeneralizedTime as RFC 5280 4.1.2.5 writes them: milliseconds since the epoch. */
function derTime({ tag, content }: Der): number {
  const text = Buffer.from(content).toString('latin1')
  const match =
    tag === DER.utcTime
      ? /^(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(text)
      : tag === DER.generalizedTime
        ? /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(text)
        : null
  if (match === null) throw new RangeError('a time is not in the form of RFC 5280')
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number)
  const full = tag === DER.utcTime ? (year < 50 ? 2000 : 1900) + year : year
  return Date.UTC(full, month - 1, day, hour, minute, second)
}

function valueAt(bytes: Uint8Array, at: number): Der {
  const tag = bytes[at]
  const first = bytes[at + 1]
  if (tag === undefined || first === undefined) throw new RangeError('the value is cut off')
  if ((tag & 0x1f) === 0x1f) throw new RangeError('a tag number above 30')
  let from = at + 2
  let length = first
  if (first >= 0x80) {
    const octets = first & 0x7f
    if (octets === 0 || octets > 4) throw new RangeError('a length that is indefinite or too long')
    length = 0
    for (let i = 0; i < octets; i++) length = length * 256 + (bytes[from + i] ?? 0)
    if (length < 0x80 || bytes[from] === 0) throw new RangeError('a length that could be shorter')
    from += octets
  }
  const end = from + length
  if (end > bytes.length) throw new RangeError('the value is cut off')
  return { tag, content: bytes.subarray(from, end), whole: bytes.subarray(at, end) }
}

/** Each part ends where the next begins, so that there is one way to read a text. */
const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,40})-----([A-Za-z0-9+/=\s]*)-----END \1-----/g

/** The bytes of all blocks of one label in a PEM text (RFC 7468). Throws a RangeError when there is none, or another text. */
export function readPem(text: string, label: string): Buffer[] {
  const blocks: Buffer[] = []
  const rest = text.replace(BLOCK, (_whole, name: string, body: string) => {
    if (name !== label) throw new RangeError(`contains a ${name}, but must contain only ${label}`)
    blocks.push(Buffer.from(body, 'base64'))
    return ''
  })
  // Certificates are shown to everyone who may read the resource
  if (rest.includes('PRIVATE KEY'))
    throw new RangeError(`contains a PRIVATE KEY, but must contain only ${label}`)
  if (rest.includes('-----')) throw new RangeError('contains a block that is cut off')
  if (blocks.length === 0) throw new RangeError(`contains no ${label} in PEM`)
  return blocks
}

/** What Postern asks of an X.509 certificate (RFC 5280), read once. Times in milliseconds since the epoch. */
export interface Certificate {
  readonly x509: X509Certificate
  /** SHA-256 of the whole, lower-case hexadecimal. */
  readonly sha256: string
  readonly serial: string
  /** Names as their bytes, hexadecimal, so that equal means equal. */
  readonly issuer: string
  readonly subject: string
  /** Attributes of the subject in its order, such as `CN=orders`; escaped as in RFC 2253. */
  readonly subjectParts: readonly string[]
  /** Lower case. */
  readonly dnsNames: readonly string[]
  readonly uris: readonly string[]
  readonly from: number
  readonly until: number
  /** Null for one that may not sign others. */
  readonly ca: { readonly pathLength: number } | null
  readonly signsCrls: boolean
  /** The uses that it names include clients, or it names none. An authority lends no other. */
  readonly allowsClients: boolean
  /** May prove a client in TLS. */
  readonly isForClients: boolean
  /** Why nothing is believed of it; empty for most. */
  readonly fault: string
}

const BASIC_CONSTRAINTS = '551d13'
const KEY_USAGE = '551d0f'
const EXTENDED_KEY_USAGE = '551d25'
const ALTERNATIVE_NAMES = '551d11'
const NAME_CONSTRAINTS = '551d1e'
/** Critical ones that are understood; policies restrict nothing where none is asked for. */
const UNDERSTOOD = [BASIC_CONSTRAINTS, KEY_USAGE, EXTENDED_KEY_USAGE, ALTERNATIVE_NAMES, '551d20']
const CLIENT_AUTH = '2b06010505070302'
const ANY_USAGE = '551d2500'

/** Signature algorithms that count, with the digest that `node:crypto` calls them by; null for Ed25519. */
const SIGNATURES: ReadonlyMap<string, string | null> = new Map([
  ['2a864886f70d01010b', 'sha256'],
  ['2a864886f70d01010c', 'sha384'],
  ['2a864886f70d01010d', 'sha512'],
  ['2a8648ce3d040302', 'sha256'],
  ['2a8648ce3d040303', 'sha384'],
  ['2a8648ce3d040304', 'sha512'],
  ['2b6570', null],
])
const RSA_BITS_MIN = 2048

// Bits of KeyUsage, from the left (RFC 5280 4.2.1.3)
const DIGITAL_SIGNATURE = 0
const KEY_AGREEMENT = 4
const CERT_SIGN = 5
const CRL_SIGN = 6

/** The certificates of a PEM text (RFC 7468), in their order. Throws a RangeError that repeats nothing of the text. */
export function certificatesOf(pem: string): X509Certificate[] {
  return readPem(pem, 'CERTIFICATE').map((der, index) => {
    try {
      return new X509Certificate(der)
    } catch {
      throw new RangeError(`certificate ${index + 1} cannot be read`)
    }
  })
}

/** Reads a certificate in DER. Throws an Error that says what is wrong with the bytes. */
export function readCertificate(der: Uint8Array): Certificate {
  const [body, algorithm] = derItems(readDer(der))
  if (body === undefined || algorithm === undefined) throw new RangeError('parts are missing')
  const fields = derItems(body)
  // Version 3 alone has extensions, and CAs of earlier versions cannot be told from others
  if (fields[0]?.tag !== 0xa0) throw new RangeError('a certificate of version 3 is needed')
  const [, serial, , issuer, , subject] = fields
  if (issuer === undefined || subject === undefined) throw new RangeError('parts are missing')
  const extensions = readExtensions(fields.find(({ tag }) => tag === 0xa3))
  const x509 = new X509Certificate(der)
  const usage = keyUsage(extensions.get(KEY_USAGE))
  const extended = extensions.get(EXTENDED_KEY_USAGE)?.value
  const purposes =
    extended === undefined ? null : derItems(readDer(extended)).map((oid) => derHex(oid, DER.oid))
  const allowsClients = purposes === null || purposes.includes(CLIENT_AUTH) || purposes.includes(ANY_USAGE)
  return {
    x509,
    sha256: createHash('sha256').update(der).digest('hex'),
    serial: derHex(serial, DER.integer),
    issuer: Buffer.from(issuer.whole).toString('hex'),
    subject: Buffer.from(subject.whole).toString('hex'),
    subjectParts: x509.subject === undefined ? [] : x509.subject.split('\n'),
    ...alternativeNames(extensions.get(ALTERNATIVE_NAMES)),
    from: x509.validFromDate.getTime(),
    until: x509.validToDate.getTime(),
    ca: usage(CERT_SIGN) ? authority(extensions.get(BASIC_CONSTRAINTS)) : null,
    signsCrls: usage(CRL_SIGN),
    allowsClients,
    isForClients: (usage(DIGITAL_SIGNATURE) || usage(KEY_AGREEMENT)) && allowsClients,
    fault: faultOf(x509, derHex(derItems(algorithm)[0], DER.oid), extensions),
  }
}

interface Extension {
  readonly critical: boolean
  readonly value: Uint8Array
}

/** By OID. Of a certificate, and of a CRL and its entries. Null-safe: most CRL entries have none. */
function readExtensions(wrapped: Der | undefined): Map<string, Extension> {
  const extensions = new Map<string, Extension>()
  if (wrapped === undefined) return extensions
  const list = wrapped.tag === DER.sequence ? wrapped : derItems(wrapped)[0]
  for (const extension of list === undefined ? [] : derItems(list)) {
    const items = derItems(extension)
    const oid = derHex(items[0], DER.oid)
    const value = items.at(-1)
    if (value?.tag !== DER.octetString || items.length > 3) throw new RangeError('an extension is malformed')
    if (extensions.has(oid)) throw new RangeError('an extension occurs twice')
    const critical = items.length === 3 && derHex(items[1], DER.boolean) === 'ff'
    extensions.set(oid, { critical, value: value.content })
  }
  return extensions
}

function faultOf(
  { publicKey }: X509Certificate,
  algorithm: string,
  extensions: ReadonlyMap<string, Extension>,
): string {
  if (!SIGNATURES.has(algorithm)) return 'it is signed with an algorithm that is not allowed'
  const { modulusLength } = publicKey.asymmetricKeyDetails ?? {}
  if (modulusLength !== undefined && modulusLength < RSA_BITS_MIN)
    return `its RSA key has fewer than ${RSA_BITS_MIN} bits`
  // Not judged here, so nothing that carries them may be believed
  if (extensions.has(NAME_CONSTRAINTS)) return 'it has name constraints'
  for (const [oid, { critical }] of extensions)
    if (critical && !UNDERSTOOD.includes(oid)) return 'it has a critical extension that is not understood'
  return ''
}

/** Whether a use is admitted; without the extension all are. */
function keyUsage(extension: Extension | undefined): (bit: number) => boolean {
  if (extension === undefined) return () => true
  const { tag, content } = readDer(extension.value)
  if (tag !== DER.bitString) throw new RangeError('the key usage is malformed')
  return (bit) => ((content[1 + (bit >> 3)] ?? 0) & (0x80 >> (bit & 7))) !== 0
}

function authority(extension: Extension | undefined): Certificate['ca'] {
  if (extension === undefined) return null
  const [isCa, length] = derItems(readDer(extension.value))
  if (isCa === undefined || derHex(isCa, DER.boolean) !== 'ff') return null
  return { pathLength: length === undefined ? Infinity : Number.parseInt(derHex(length, DER.integer), 16) }
}

function alternativeNames(extension: Extension | undefined): Pick<Certificate, 'dnsNames' | 'uris'> {
  const names = extension === undefined ? [] : derItems(readDer(extension.value))
  const texts = (tag: number): string[] =>
    names.filter((name) => name.tag === tag).map(({ content }) => Buffer.from(content).toString('latin1'))
  return { dnsNames: texts(0x82).map((name) => name.toLowerCase()), uris: texts(0x86) }
}

/** A certificate revocation list (RFC 5280 section 5). */
export interface Crl {
  /** Name as its bytes, hexadecimal. */
  readonly issuer: string
  /** When the next one should be there, milliseconds since the epoch. */
  readonly until: number
  /** Serial numbers, hexadecimal. */
  readonly revoked: ReadonlySet<string>
  /** The key has signed it. */
  isSignedBy(key: KeyObject): boolean
}

/** Reads a CRL in DER. Throws an Error that says what is wrong; also for one that holds less, or means more, than it shows. */
export function readCrl(der: Uint8Array): Crl {
  const [body, algorithm, signature] = derItems(readDer(der))
  if (body === undefined || algorithm === undefined || signature?.tag !== DER.bitString)
    throw new RangeError('parts are missing')
  const digest = SIGNATURES.get(derHex(derItems(algorithm)[0], DER.oid))
  if (digest === undefined) throw new RangeError('it is signed with an algorithm that is not allowed')
  const fields = derItems(body)
  if (fields[0]?.tag === DER.integer) fields.shift()
  const [inner, issuer, , next, ...rest] = fields
  if (inner === undefined || !Buffer.from(inner.whole).equals(algorithm.whole) || issuer === undefined)
    throw new RangeError('parts are missing or contradict each other')
  if (next === undefined || (next.tag !== DER.utcTime && next.tag !== DER.generalizedTime))
    throw new RangeError('it does not say when the next list is due (nextUpdate)')
  refuseCritical(rest.find(({ tag }) => tag === 0xa0))
  const entries = rest.find(({ tag }) => tag === DER.sequence)
  return {
    issuer: Buffer.from(issuer.whole).toString('hex'),
    until: derTime(next),
    revoked: new Set((entries === undefined ? [] : derItems(entries)).map(serialOf)),
    isSignedBy(key) {
      return verify(digest, body.whole, key, signature.content.subarray(1))
    },
  }
}

function serialOf(entry: Der): string {
  const [serial, , extensions] = derItems(entry)
  refuseCritical(extensions)
  return derHex(serial, DER.integer)
}

/** Deltas, lists for a part of the certificates and lists of several issuers are marked so. */
function refuseCritical(extensions: Der | undefined): void {
  for (const { critical } of readExtensions(extensions).values())
    if (critical) throw new RangeError('it has a critical extension; give a complete list of one issuer')
}
