import { createHash, X509Certificate } from 'node:crypto'
import { DER, type Der, derHex, derItems, readDer } from './der.ts'
import { readPem } from './pem.ts'

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
export const SIGNATURES: ReadonlyMap<string, string | null> = new Map([
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
export function readExtensions(wrapped: Der | undefined): Map<string, Extension> {
  const extensions = new Map<string, Extension>()
  if (wrapped === undefined) return extensions
  const list = wrapped.tag === DER.sequence ? wrapped : derItems(wrapped)[0]
  for (const extension of list === undefined ? [] : derItems(list)) {
    const items = derItems(extension)
    const oid = derHex(items[0], DER.oid)
    const value = items.at(-1)
    if (value?.tag !== DER.octetString || items.length > 3) throw new RangeError('an extension is malformed')
    if (extensions.has(oid)) throw new RangeError('an extension stands there twice')
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
  if (!SIGNATURES.has(algorithm)) return 'it is signed by an algorithm that is not admitted'
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
