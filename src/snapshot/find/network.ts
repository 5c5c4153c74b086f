/** IP addresses and networks as numbers. */
import { isIP } from 'node:net'

/** Networks ready to be asked. IPv4 as 32-bit numbers, IPv6 as four of them. */
export interface Networks {
  /** Pairs: network, mask. */
  readonly v4: Int32Array
  /** Groups of eight: network, mask. */
  readonly v6: Int32Array
}

/** An address as numbers: one word for IPv4, four for IPv6, none when the text is no address. */
export type IpAddress = readonly number[]

const NONE: IpAddress = []

/** Reads what the schema admits: `10.0.0.0/8`, `192.0.2.7`, `2001:db8::/32`. Throws a RangeError for anything else. */
export function toNetworks(texts: readonly string[]): Networks {
  const v4: number[] = []
  const v6: number[] = []
  for (const text of texts) {
    const slash = text.indexOf('/')
    const address = toAddress(slash === -1 ? text : text.slice(0, slash))
    const given = slash === -1 ? address.length * 32 : Number(text.slice(slash + 1))
    // A network of IPv4-mapped addresses counts its bits from the start of the IPv6 form.
    const bits = slash !== -1 && address.length === 1 && text.includes(':') ? given - 96 : given
    if (address.length === 0 || !Number.isInteger(bits) || bits < 0 || bits > address.length * 32)
      throw new RangeError(`"${text}" is no network`)
    const masks = address.map((_, word) => maskOf(Math.min(32, Math.max(0, bits - word * 32))))
    const network = address.map((word, index) => word & masks[index]!)
    if (address.length === 1) v4.push(network[0]!, masks[0]!)
    else v6.push(...network, ...masks)
  }
  return { v4: Int32Array.from(v4), v6: Int32Array.from(v6) }
}

function maskOf(bits: number): number {
  return bits === 0 ? 0 : (-1 << (32 - bits)) | 0
}

/** Whom an address stands for. A network of IPv6 (/64) is one source: its addresses cost nothing. */
export function networkOf(ip: string): string {
  const words = toAddress(ip)
  return words.length === 0 ? ip : words.slice(0, 2).join()
}

/** True when the address lies in one of the networks. What is no address lies in none. */
export function isIn(networks: Networks, ip: string): boolean {
  const word = ip.indexOf(':') === -1 ? toIPv4(ip) : -1
  if (word >= 0) return isIn4(networks.v4, word | 0)
  const address = toAddress(ip)
  if (address.length === 1) return isIn4(networks.v4, address[0]!)
  return address.length === 4 && isIn6(networks.v6, address)
}

function isIn4(v4: Int32Array, word: number): boolean {
  for (let i = 0; i < v4.length; i += 2) if ((word & v4[i + 1]!) === v4[i]!) return true
  return false
}

function isIn6(v6: Int32Array, address: IpAddress): boolean {
  for (let i = 0; i < v6.length; i += 8) {
    let word = 0
    while (word < 4 && (address[word]! & v6[i + 4 + word]!) === v6[i + word]!) word++
    if (word === 4) return true
  }
  return false
}

/** Unsigned 32-bit number of a dotted address, or -1. */
export function toIPv4(ip: string): number {
  let word = 0
  let part = -1
  let dots = 0
  for (let i = 0; i < ip.length; i++) {
    const code = ip.charCodeAt(i)
    if (code === 0x2e) {
      if (part < 0 || ++dots > 3) return -1
      word = word * 256 + part
      part = -1
    } else {
      if (code < 0x30 || code > 0x39) return -1
      part = (part < 0 ? 0 : part * 10) + code - 0x30
      if (part > 255) return -1
    }
  }
  return dots === 3 && part >= 0 ? word * 256 + part : -1
}

/** Words of an address; an IPv4-mapped IPv6 address is its IPv4 address. */
export function toAddress(ip: string): IpAddress {
  const version = isIP(ip)
  if (version === 4) return [toIPv4(ip) | 0]
  if (version !== 6 || ip.includes('%')) return NONE
  const words = toIPv6(ip)
  const isMapped = words[0] === 0 && words[1] === 0 && words[2] === 0xffff
  return isMapped ? [words[3]!] : words
}

/** Four words of a text that is an IPv6 address. */
function toIPv6(ip: string): number[] {
  let text = ip
  const dot = text.indexOf('.')
  if (dot !== -1) {
    const at = text.lastIndexOf(':') + 1
    const word = toIPv4(text.slice(at))
    text = `${text.slice(0, at)}${(word >>> 16).toString(16)}:${(word & 0xffff).toString(16)}`
  }
  const [head = '', tail] = text.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const groups = [
    ...before,
    ...Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0'),
    ...after,
  ]
  const parts = groups.map((group) => Number.parseInt(group, 16))
  return [0, 2, 4, 6].map((i) => (parts[i]! << 16) | parts[i + 1]!)
}
