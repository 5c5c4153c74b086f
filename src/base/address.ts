import { BlockList, isIP } from 'node:net'

const LOOPBACK = listOf(['127.0.0.0/8', '::1/128'])

/**
 * Link-local addresses, and those where clouds answer with the secrets of the machine; also what is no address of one
 * host. The NAT64 forms of those of clouds count as well.
 */
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
  '64:ff9b::a9fe:0/112',
  '64:ff9b::100.100.100.200/128',
  '64:ff9b::168.63.129.16/128',
  '64:ff9b::192.0.0.192/128',
])

/** Networks that are no part of the internet, and forms of addresses that can lead into one. */
const INSIDE = listOf([
  '10.0.0.0/8',
  '100.64.0.0/10',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '240.0.0.0/4',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  'fc00::/7',
])

/** Names that clouds resolve to such an address. */
const REFUSED_NAMES: ReadonlySet<string> = new Set(['metadata.google.internal', 'metadata'])

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [address, prefix] = network.split('/') as [string, string]
    list.addSubnet(address, Number(prefix), isIP(address) === 6 ? 'ipv6' : 'ipv4')
  }
  return list
}

function isListed(list: BlockList, address: string): boolean {
  const mapped = /^::ffff:([0-9.]+)$/i.exec(address)?.[1] ?? address
  const version = isIP(mapped)
  return version !== 0 && list.check(mapped, version === 6 ? 'ipv6' : 'ipv4')
}

/** True for an address of this machine. */
function isLoopback(address: string): boolean {
  return isListed(LOOPBACK, address)
}

/** True for an address that nothing on behalf of the configuration may connect to. */
export function isRefusedAddress(address: string): boolean {
  return isListed(REFUSED, address)
}

/** True for an address of the internet: not of this machine, nor of a network inside. */
export function isPublicAddress(address: string): boolean {
  return (
    isIP(address) !== 0 && !isLoopback(address) && !isRefusedAddress(address) && !isListed(INSIDE, address)
  )
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
