/**
 * What an address is: of this machine, refused, of the internet, or inside. An address is judged by what it leads to, so
 * that its spelling does not matter: zone identifiers are dropped, an IPv4-mapped address is the IPv4 address, and an
 * IPv6 address that carries an IPv4 address is refused with it.
 */
import { BlockList, isIP } from 'node:net'

const LOOPBACK = listOf(['127.0.0.0/8', '::1/128'])

/** Link-local addresses, and those where clouds answer with the secrets of the machine; also what is no address of one host. */
const REFUSED = listOf([
  '0.0.0.0/8',
  '169.254.0.0/16',
  '100.100.100.200/32',
  '168.63.129.16/32',
  '192.0.0.192/32',
  '224.0.0.0/4',
  '255.255.255.255/32',
  '::/128',
  'fe80::/10',
  'fd00:ec2::/32',
  'fd20:ce::254/128',
  'ff00::/8',
])

/** Networks that are no part of the internet, and forms of addresses that can lead into one. */
const INSIDE = listOf([
  '10.0.0.0/8',
  '100.64.0.0/10',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '240.0.0.0/4',
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  '3fff::/20',
])

/** All of IPv6 that is given out for the internet (RFC 4291 section 2.5.4). */
const GLOBAL_V6 = listOf(['2000::/3'])
/** Addresses that translators and tunnels turn into IPv4 (RFC 6052, RFC 8215, RFC 4380). */
const NAT64 = listOf(['64:ff9b::/96'])
const NAT64_LOCAL = listOf(['64:ff9b:1::/48'])
const TEREDO = listOf(['2001::/32'])
const SIX_TO_FOUR = listOf(['2002::/16'])
/** `::a.b.c.d` (RFC 4291 section 2.5.5.1) and `::ffff:0:a.b.c.d` (RFC 2765 section 2.1). */
const COMPATIBLE = listOf(['::/96', '::ffff:0:0:0/96'])

/** Names that clouds resolve to such an address. */
const REFUSED_NAMES: ReadonlySet<string> = new Set(['metadata.google.internal', 'metadata'])

/** Networks and addresses, such as `10.0.0.0/8` or `::1`. */
export function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [address, prefix] = network.split('/') as [string, string | undefined]
    const version = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    list.addSubnet(address, Number(prefix ?? (version === 'ipv6' ? 128 : 32)), version)
  }
  return list
}

/** The address in its one spelling: without a zone, IPv4-mapped IPv6 as IPv4; null for what is no address. */
export function plainAddress(text: string): string | null {
  const address = text.replace(/%.*$/, '')
  const version = isIP(address)
  if (version !== 6) return version === 4 ? address : null
  const groups = groupsOf(address)
  const isMapped = groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0)
  return isMapped ? ipv4Of(groups, 12) : groups.map((group) => group.toString(16)).join(':')
}

/** The eight groups of an IPv6 address. */
function groupsOf(address: string): number[] {
  // The parser of URLs writes each form in the same way, with the IPv4 part in hexadecimal
  const [head = '', tail] = new URL(`http://[${address}]/`).hostname.slice(1, -1).split('::')
  const read = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16))
  if (tail === undefined) return read(head)
  const [before, after] = [read(head), read(tail)]
  return [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after]
}

/** Four bytes of an IPv6 address from `at` on as an IPv4 address. `skipped` is left out: byte 8 of RFC 6052. */
function ipv4Of(groups: readonly number[], at: number, skipped = -1): string {
  const bytes = groups.flatMap((group) => [group >> 8, group & 0xff])
  const taken = bytes.flatMap((byte, index) => (index >= at && index !== skipped ? [byte] : []))
  return taken.slice(0, 4).join('.')
}

/** IPv4 addresses that a plain IPv6 address carries. What lies in 0.0.0.0/8 is no such address. */
function carriedBy(plain: string): string[] {
  const is = (list: BlockList): boolean => list.check(plain, 'ipv6')
  const groups = groupsOf(plain)
  const found: string[] = []
  if (is(NAT64) || is(COMPATIBLE)) found.push(ipv4Of(groups, 12))
  if (is(NAT64_LOCAL))
    found.push(ipv4Of(groups, 6, 8), ipv4Of(groups, 7, 8), ipv4Of(groups, 9), ipv4Of(groups, 12))
  if (is(SIX_TO_FOUR)) found.push(ipv4Of(groups, 2))
  if (is(TEREDO))
    found.push(
      ipv4Of(groups, 4),
      ipv4Of(
        groups.map((group) => group ^ 0xffff),
        12,
      ),
    )
  // ISATAP (RFC 5214 section 6.1)
  if ((groups[4]! & 0xfdff) === 0 && groups[5] === 0x5efe) found.push(ipv4Of(groups, 12))
  return found.filter((address) => !address.startsWith('0.'))
}

/** The address in its one spelling, and the IPv4 addresses that it carries; none for what is no address. */
export function formsOf(address: string): readonly string[] {
  const plain = plainAddress(address)
  if (plain === null) return []
  return isIP(plain) === 6 ? [plain, ...carriedBy(plain)] : [plain]
}

/** True for an address in the list; spellings do not matter. */
export function isListed(list: BlockList, address: string): boolean {
  const plain = plainAddress(address)
  return plain !== null && list.check(plain, isIP(plain) === 6 ? 'ipv6' : 'ipv4')
}

/** True for an address of this machine. */
export function isLoopback(address: string): boolean {
  return isListed(LOOPBACK, address)
}

/** True for an address that nothing on behalf of the configuration may connect to. */
export function isRefusedAddress(address: string): boolean {
  return formsOf(address).some((form) => isListed(REFUSED, form))
}

/** True for an address of the internet: not of this machine, nor of a network inside. */
export function isPublicAddress(address: string): boolean {
  const plain = plainAddress(address)
  if (plain === null || isLoopback(plain) || isRefusedAddress(plain) || isListed(INSIDE, plain)) return false
  if (isIP(plain) === 4 || isListed(GLOBAL_V6, plain)) return true
  // Networks without IPv4 reach the whole internet of IPv4 by it
  return isListed(NAT64, plain) && carriedBy(plain).some(isPublicAddress)
}

/** True for the host of a URL that is a literal of this machine, or `localhost`. */
export function isLoopbackHost(hostname: string): boolean {
  return hostname === 'localhost' || isLoopback(bareHost(hostname))
}

/** True for a URL whose bytes nobody on the way can read: https, or http on this machine. */
export function isSecureUrl({ protocol, hostname }: URL): boolean {
  return protocol === 'https:' || (protocol === 'http:' && isLoopbackHost(hostname))
}

/** True for the host of a URL that is refused as it stands; another name may still resolve to a refused address. */
export function isRefusedHost(hostname: string): boolean {
  const host = bareHost(hostname)
  return isIP(host) === 0 ? REFUSED_NAMES.has(host.toLowerCase().replace(/\.$/, '')) : isRefusedAddress(host)
}

/** The host of a URL without the brackets of IPv6. */
export function bareHost(hostname: string): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
}
