/**
 * The one rule for outgoing connections of Postern. Everything that connects on behalf of the configuration asks here.
 *
 * 1. Link-local, metadata, multicast and unspecified addresses are always refused.
 * 2. The control listener of this process, and its private Unix sockets, are always refused.
 * 3. A URL that an administrator has written may lead to a private address or to this machine.
 * 4. Any other URL must lead to public addresses, or match `POSTERN_EGRESS_ALLOW`.
 * 5. The address that was judged is the address connected to: a socket gets its address from {@link Egress.lookup}.
 * 6. A refusal names the host of the URL, never an address that it resolved to: callers may see the text.
 */
import type { LookupAddress } from 'node:dns'
import { statSync } from 'node:fs'
import { type BlockList, isIP, type LookupFunction } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join, resolve as resolvePath } from 'node:path'
import {
  bareHost,
  CONTROL_SOCKET,
  formsOf,
  isListed,
  isLoopback,
  isPublicAddress,
  isRefusedAddress,
  isRefusedHost,
  LOCAL_SOCKET,
  listOf,
  plainAddress,
} from './address.ts'

// Entries of `POSTERN_EGRESS_ALLOW`: a host name, `*.suffix`, an address or a network, each with a port or for all ports.
// An entry that could never have an effect is refused, so that nobody believes it in force.

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

/**
 * How Postern has come to know a URL. `typed`: an administrator has written it, in a setting or in the configuration.
 * `discovered`: a document, a redirect, a caller or a computation has named it; see {@link discoveredFrom}.
 */
export type UrlSource = 'typed' | 'discovered'

/** What the rule depends on; plain data, which all threads get. */
export interface EgressSettings {
  /** Entries of `POSTERN_EGRESS_ALLOW`. */
  readonly allow: readonly string[]
  /** Where the control listener is bound; null where none is. */
  readonly control: { readonly host: string; readonly port: number } | null
  /** Directory of the private Unix sockets; null where there are none. */
  readonly sockets: string | null
}

/** What is about to be connected to. */
export interface Destination {
  /** A name or an address, without brackets. */
  readonly host: string
  readonly port: number
  readonly from: UrlSource
}

/** The rule, for one process. No method throws or waits. */
export interface Egress {
  /** What it was made of: another thread makes the same rule of it. */
  readonly settings: EgressSettings
  /**
   * Why a destination is refused as it stands, as a sentence without a period; null when it is not. A name that passes
   * may still be refused by the addresses that it resolves to.
   */
  faultOf(to: Destination): string | null
  /** Why a Unix socket is refused; null when it is not. */
  socketFault(path: string): string | null
  /**
   * The `lookup` of sockets to a destination: it gives only addresses that the rule admits, and fails with an
   * {@link EgressRefusal} otherwise.
   * @param resolve Resolves names, such as `lookup` of node:dns.
   * @param mixed What becomes of a name with admitted and refused addresses: refused whole, or used without the latter.
   */
  lookup(to: Destination, resolve: LookupFunction, mixed?: 'refuse' | 'leave_out'): LookupFunction
}

/** A name resolved to what the rule refuses. The message is a sentence without a period. */
export class EgressRefusal extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'EgressRefusal'
  }
}

/** No list, and no control listener: for programs that are not the server. */
export const NO_LISTENER: EgressSettings = { allow: [], control: null, sockets: null }

type Verdict = 'never' | 'own' | 'inside' | null

/** Makes the rule. Throws a RangeError for an entry of `allow` that is none. */
export function createEgress(settings: EgressSettings): Egress {
  const { allow, control, sockets } = settings
  const allowed = createEgressAllow(allow)

  /** @param isNamed the host of the URL stands in the list by its name */
  function judge(address: string, { port, from }: Destination, isNamed: boolean): Verdict {
    if (isRefusedAddress(address)) return 'never'
    if (control !== null && port === control.port && isOwn(control.host, address)) return 'own'
    if (from === 'typed' || isNamed || isPublicAddress(address)) return null
    return allowed.hasAddress(address, port) ? null : 'inside'
  }

  function faultOf(to: Destination): string | null {
    if (isRefusedHost(to.host)) return sentence('never', to)
    if (plainAddress(to.host) !== null) return sentence(judge(to.host, to, false), to)
    const isOwnName = control !== null && to.port === control.port && namesOwn(control.host, to.host)
    return isOwnName ? sentence('own', to) : null
  }

  return {
    settings,
    faultOf,
    socketFault(path) {
      const isPrivate =
        sockets !== null &&
        [CONTROL_SOCKET, LOCAL_SOCKET].some((name) => isSameFile(join(sockets, name), path))
      return isPrivate ? `${path} is refused: it is a private socket of this Postern` : null
    },
    lookup(to, resolve, mixed = 'refuse') {
      return (name, options, callback) => {
        resolve(name, { ...options, all: true }, (error, found) => {
          // With `all` there is a list of them, or none after an error
          const addresses = (found ?? []) as readonly LookupAddress[]
          const isNamed = allowed.hasName(to.host, to.port)
          const verdicts = addresses.map(({ address }) => judge(address, to, isNamed))
          const admitted = addresses.filter((_, index) => verdicts[index] === null)
          const refused = verdicts.find((verdict) => verdict !== null) ?? null
          const first = admitted[0]
          if (error !== null) callback(error, [])
          else if (refused !== null && (mixed === 'refuse' || first === undefined))
            callback(new EgressRefusal(sentence(refused, to)!), [])
          else if (first === undefined)
            callback(Object.assign(new Error(`no address for ${name}`), { code: 'ENOTFOUND' }), [])
          else if (options.all === true) callback(null, [...admitted])
          else callback(null, first.address, first.family)
        })
      }
    },
  }
}

/** What a URL leads to. Without a port it is 443 for https, else 80. */
export function destinationOf(url: URL, from: UrlSource): Destination {
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port)
  return { host: bareHost(url.hostname), port, from }
}

/**
 * How a URL counts that was found by asking one that an administrator has written: on the same scheme, host and port as
 * that one it counts as typed too, since the administrator has named that very server.
 */
export function discoveredFrom(typed: string, found: string): UrlSource {
  const origin = URL.parse(typed)?.origin
  return origin !== undefined && origin !== 'null' && origin === URL.parse(found)?.origin
    ? 'typed'
    : 'discovered'
}

function sentence(verdict: Verdict, { host, port }: Destination): string | null {
  switch (verdict) {
    case null:
      return null
    case 'never':
      return `${host} is refused: Postern never calls link-local, metadata, multicast and unspecified addresses`
    case 'own':
      return `${host}:${port} is refused: it is the control listener of this Postern`
    case 'inside':
      return `${host} is refused: its address is not public, and no administrator has configured this URL. Add ${host} to POSTERN_EGRESS_ALLOW to allow it`
  }
}

/** True when a connection to the address reaches a listener that is bound to `bound`, if the ports are the same. */
function isOwn(bound: string, address: string): boolean {
  const forms = formsOf(address)
  const own = plainAddress(bound)
  // One loopback address stands for all: localhost is 127.0.0.1 or ::1
  if (own === null ? isLocalName(bound) : isLoopback(own)) return forms.some(isLoopback)
  if (own !== null && own !== '0.0.0.0' && own !== '0:0:0:0:0:0:0:0') return forms.includes(own)
  // Every address of this machine; also for a name, which may be any of them
  return forms.some((form) => isLoopback(form) || isOfThisMachine(form))
}

function namesOwn(bound: string, name: string): boolean {
  const asked = name.toLowerCase().replace(/\.$/, '')
  if (asked === bound.toLowerCase().replace(/\.$/, '')) return true
  return isLocalName(asked) && isOwn(bound, '127.0.0.1')
}

/** RFC 6761 section 6.3. */
function isLocalName(name: string): boolean {
  return /^(.+\.)?localhost\.?$/i.test(name)
}

/** Asked anew each time: interfaces come and go. */
function isOfThisMachine(plain: string): boolean {
  return Object.values(networkInterfaces()).some((addresses) =>
    addresses?.some(({ address }) => plainAddress(address) === plain),
  )
}

/** Also by a link to it. */
function isSameFile(one: string, other: string): boolean {
  if (resolvePath(one) === resolvePath(other)) return true
  try {
    const [first, second] = [statSync(one), statSync(other)]
    return first.dev === second.dev && first.ino === second.ino
  } catch {
    // A file that does not exist is no socket
    return false
  }
}
