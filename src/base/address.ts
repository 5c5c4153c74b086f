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

/** True for the host of a URL that is a literal of this machine, or `localhost`. */
export function isLoopbackHost(hostname: string): boolean {
  return hostname === 'localhost' || isLoopback(bareHost(hostname))
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
