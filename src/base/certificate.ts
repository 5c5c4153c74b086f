import { X509Certificate } from 'node:crypto'

const BLOCK = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g

/**
 * The certificates of a PEM text (RFC 7468), in their order. Text between them is allowed, other blocks are not.
 * Throws a RangeError that says what is wrong and repeats nothing of the text.
 */
export function certificatesOf(pem: string): X509Certificate[] {
  const blocks = pem.match(BLOCK) ?? []
  if (blocks.length === 0) throw new RangeError('holds no certificate in PEM')
  if ((pem.match(/-----BEGIN /g) ?? []).length !== blocks.length)
    throw new RangeError('holds something other than whole certificates')
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block)
    } catch {
      throw new RangeError(`certificate ${index + 1} cannot be read`)
    }
  })
}
