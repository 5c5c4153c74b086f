import { type KeyObject, verify } from 'node:crypto'
import { readExtensions, SIGNATURES } from './certificate.ts'
import { DER, type Der, derHex, derItems, derTime, readDer } from './der.ts'

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
  if (digest === undefined) throw new RangeError('it is signed by an algorithm that is not admitted')
  const fields = derItems(body)
  if (fields[0]?.tag === DER.integer) fields.shift()
  const [inner, issuer, , next, ...rest] = fields
  if (inner === undefined || !Buffer.from(inner.whole).equals(algorithm.whole) || issuer === undefined)
    throw new RangeError('parts are missing or contradict each other')
  if (next === undefined || (next.tag !== DER.utcTime && next.tag !== DER.generalizedTime))
    throw new RangeError('it does not say when the next one comes (nextUpdate)')
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
    if (critical) throw new RangeError('it has a critical extension; a complete list of one issuer is needed')
}
