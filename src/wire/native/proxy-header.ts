/**
 * Reads the header of the PROXY protocol, version 2 (HAProxy): the address of the caller, before the first byte of the
 * connection.
 */

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
/** Signature, version and command, family and protocol, length of the rest. */
export const PROXY_PREFACE_BYTES = 16
/** Addresses and additions; senders keep below this. */
const REST_BYTES_MAX = 2048

const LOCAL = 0x20
const PROXY = 0x21
const UNSPECIFIED = 0x00
const TCP4 = 0x11
const TCP6 = 0x21

/** Bytes after the preface, or null for what is no header of version 2. */
export function proxyRestBytes(preface: Uint8Array): number | null {
  if (!SIGNATURE.equals(preface.subarray(0, SIGNATURE.length))) return null
  const command = preface[12]
  if (command !== LOCAL && command !== PROXY) return null
  const length = preface[14]! * 256 + preface[15]!
  return length > REST_BYTES_MAX ? null : length
}

/**
 * The address of the caller. Undefined where the header says nothing of it (LOCAL, an unspecified family): the
 * connection is the sender's own. Null for what is malformed, and for families that no caller over TCP has.
 */
export function proxiedPeer(preface: Uint8Array, rest: Buffer): string | null | undefined {
  if (preface[12] === LOCAL || preface[13] === UNSPECIFIED) return undefined
  switch (preface[13]) {
    case TCP4:
      return rest.length < 12 ? null : rest.subarray(0, 4).join('.')
    case TCP6:
      return rest.length < 36 ? null : plainAddress(addressOf(rest.subarray(0, 16)))
    default:
      return null
  }
}

/** In the canonical form of RFC 5952, as sockets name their peers. */
function addressOf(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16)).join(':')
  return new URL(`http://[${groups}]`).hostname.slice(1, -1)
}

/** An IPv4-mapped IPv6 address (RFC 4291 2.5.5.2) as IPv4, so that rules need one form only. */
export function plainAddress(address: string): string {
  if (!address.startsWith('::ffff:')) return address
  const rest = address.slice(7)
  if (rest.includes('.')) return rest
  const [high = NaN, low = NaN] = rest.split(':').map((group) => Number.parseInt(group, 16))
  return rest.split(':').length === 2 ? [high >> 8, high & 255, low >> 8, low & 255].join('.') : address
}
