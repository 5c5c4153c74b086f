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
import type { LookupFunction } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join, resolve as resolvePath } from 'node:path'
import {
  bareHost,
  formsOf,
  isLoopback,
  isPublicAddress,
  isRefusedAddress,
  isRefusedHost,
  plainAddress,
} from './address.ts'
import { createEgressAllow } from './egress-allow.ts'
import { CONTROL_SOCKET, LOCAL_SOCKET } from './socket-path.ts'

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
      return `${host} is refused: link-local, metadata, multicast and unspecified addresses are never asked`
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
