/**
 * Entries of `POSTERN_EGRESS_ALLOW`: a host name, `*.suffix`, an address or a network, each with a port or for all ports.
 * An entry that could never have an effect is refused, so that nobody believes it in force.
 */
import { type BlockList, isIP } from 'node:net'
import { isListed, isRefusedAddress, isRefusedHost, listOf, plainAddress } from './address.ts'

/** One entry. Exactly one of `name`, `suffix` and `network` is set. */
interface AllowEntry {
  /** Lower case, without a final dot. */
  readonly name: string | null
  /** With its leading dot. */
  readonly suffix: string | null
  readonly network: BlockList | null
  /** Null for all ports. */
  readonly port: number | null
}

/** What discovered URLs may lead to beside public addresses. */
export interface EgressAllow {
  /** True when the host of the URL stands in the list by its name. */
  hasName(host: string, port: number): boolean
  /** True when the address stands in the list. */
  hasAddress(address: string, port: number): boolean
}

/** A host name as URLs have it: letters, digits, `-` and `_`; its last label is no number (WHATWG URL section 3.5). */
const NAME =
  /^(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*(?!\d+$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/
/** `[v6]`, `[v6/64]`, or anything without brackets and colons; then a port or none. */
const WITH_PORT = /^(?:\[([0-9A-Fa-f:.]+(?:\/\d{1,3})?)\]|([^[\]:]+))(?::(\d{1,5}))?$/

/** The entries in force. Throws a RangeError for a text that is no entry. */
export function createEgressAllow(texts: readonly string[]): EgressAllow {
  const entries = texts.map((text) => {
    const entry = parseEntry(text)
    if (typeof entry === 'string') throw new RangeError(`${text}: ${entry}`)
    return entry
  })
  const fits = (port: number, entry: AllowEntry): boolean => entry.port === null || entry.port === port
  return {
    hasName(host, port) {
      const name = host.toLowerCase().replace(/\.$/, '')
      return entries.some(
        (entry) =>
          fits(port, entry) &&
          (entry.name === name || (entry.suffix !== null && name.endsWith(entry.suffix))),
      )
    },
    hasAddress: (address, port) =>
      entries.some(
        (entry) => entry.network !== null && fits(port, entry) && isListed(entry.network, address),
      ),
  }
}

/** Why a text is no entry, as what it must be; null when it is one. */
export function egressEntryFault(text: string): string | null {
  const entry = parseEntry(text)
  return typeof entry === 'string' ? entry : null
}

const FORMS =
  'a host name, `*.` and a domain, an address or a network, each with or without a port, such as `id.internal:8443`, `*.corp.example.com`, `10.1.0.0/16` or `[fd00::1]:443`'

/** The entry, or what is wrong with it. */
function parseEntry(text: string): AllowEntry | string {
  const isBareV6 = isIP(text.split('/')[0]!) === 6
  const match = isBareV6 ? [text, text.replaceAll(/[[\]]/g, ''), undefined, undefined] : WITH_PORT.exec(text)
  if (match === null) return FORMS
  const [, v6, other, digits] = match
  const port = digits === undefined ? null : Number(digits)
  if (port !== null && (port < 1 || port > 65_535)) return 'with a port from 1 to 65535'
  const place = (v6 ?? other)!
  const [address, prefix, ...rest] = place.split('/') as [string, string | undefined, ...string[]]
  const version = isIP(address)
  if (version !== 0) return networkEntry(address, prefix, rest.length, version === 6, v6 !== undefined, port)
  const isSuffix = place.startsWith('*.')
  const name = (isSuffix ? place.slice(2) : place).toLowerCase().replace(/\.$/, '')
  if (!NAME.test(name)) return FORMS
  if (!isSuffix && isRefusedHost(name)) return NEVER
  return isSuffix
    ? { name: null, suffix: `.${name}`, network: null, port }
    : { name, suffix: null, network: null, port }
}

const NEVER = 'without link-local, metadata, multicast and unspecified addresses, which are always refused'

function networkEntry(
  address: string,
  prefix: string | undefined,
  rest: number,
  isV6: boolean,
  isBracketed: boolean,
  port: number | null,
): AllowEntry | string {
  const bitsMax = isV6 ? 128 : 32
  const bits = prefix === undefined ? bitsMax : /^(0|[1-9]\d{0,2})$/.test(prefix) ? Number(prefix) : -1
  if (bits < 0 || bits > bitsMax || rest > 0 || isV6 !== isBracketed) return FORMS
  // It would be compared as IPv4, where the prefix means something else
  if (isV6 && isIP(plainAddress(address)!) === 4) return 'an IPv4 network in its IPv4 form'
  // A shorter prefix holds other addresses as well
  if (bits >= 8 && isRefusedAddress(address)) return NEVER
  return { name: null, suffix: null, network: listOf([`${address}/${bits}`]), port }
}
