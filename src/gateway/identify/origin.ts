/**
 * Decides once where a caller comes from: the peer, or the address that a trusted proxy names. No other module reads
 * forwarding headers. They are removed from the request and written anew.
 */
import { isIn, type Networks, toAddress, toNetworks } from '../../snapshot/find/network.ts'
import type { Incoming } from '../../wire/port.ts'
import { FORWARDED, FORWARDED_FOR, FORWARDED_PROTO, REQUEST_ID } from '../request-headers.ts'
import { splitQuoted } from './signed.ts'

/** Where a request comes from. */
export interface Origin {
  /** Address of the caller; the peer where no trusted proxy says otherwise. */
  readonly ip: string
  /** The caller spoke TLS, to this gateway or to the first trusted proxy. */
  readonly secure: boolean
  /** Given by a trusted proxy, or null. */
  readonly requestId: string | null
  /** What the proxies say contradicts itself: nobody's word can be taken. */
  readonly fault: string
}

/** Ids that fit records and header lines; anything else is replaced by one of our own. */
const ID = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/

/** Null for none: then no request pays for the question. */
export function trustedNetworks(texts: readonly string[]): Networks | null {
  return texts.length === 0 ? null : toNetworks(texts)
}

/** Reads what a peer says of its caller. `null` when the peer is not trusted. */
export function forwardedOrigin(
  { peer, taken }: Pick<Incoming, 'peer' | 'taken'>,
  trusted: Networks,
  secure: boolean,
): Origin | null {
  if (!isIn(trusted, peer)) return null
  const id = taken[REQUEST_ID]
  const requestId = id !== undefined && ID.test(id) ? id : null
  const listed = taken[FORWARDED_FOR]
  const forwarded = taken[FORWARDED]
  const elements = forwarded === undefined ? [] : elementsOf(forwarded)
  const byList = listed === undefined ? null : clientOf(listed.split(','), peer, trusted)
  const byElements =
    forwarded === undefined
      ? null
      : clientOf(
          elements.map((element) => parameter(element, 'for')),
          peer,
          trusted,
        )
  // A proxy that sets one of them may pass the other on as its caller sent it
  const fault =
    byList !== null && byElements !== null && byList !== byElements
      ? 'X-Forwarded-For and Forwarded name different callers'
      : ''
  const proto = lastOf(taken[FORWARDED_PROTO]) || parameter(elements.at(-1) ?? '', 'proto')
  return {
    ip: fault === '' ? (byList ?? byElements ?? peer) : peer,
    secure: proto === '' ? secure : proto.toLowerCase() === 'https',
    requestId,
    fault,
  }
}

/**
 * The right-most entry that is no trusted proxy. Entries left of it were written by strangers. What is no address
 * ends the walk: then the caller is known by the proxy that reported it.
 */
function clientOf(entries: readonly string[], peer: string, trusted: Networks): string {
  let ip = peer
  for (let i = entries.length - 1; i >= 0; i--) {
    const address = addressOf(entries[i]!)
    if (address === '') return ip
    ip = address
    if (!isIn(trusted, address)) return ip
  }
  return ip
}

/** `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`; empty for what is no address. */
function addressOf(entry: string): string {
  const text = entry.trim().toLowerCase()
  const match = /^(?:\[([0-9a-f:.]{2,45})\]|([0-9.]{7,15}))(?::[0-9]{1,5})?$/.exec(text)
  const address = match?.[1] ?? match?.[2] ?? text
  if (address.length > 45 || toAddress(address).length === 0) return ''
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}

/** Elements of a Forwarded field (RFC 7239 4); one that is empty where they cannot be told apart. */
function elementsOf(value: string): string[] {
  const elements = splitQuoted(value, ',')
  return elements.length === 0 ? [''] : elements
}

const PAIR = /^\s*([A-Za-z]+)=(?:"([^"\\]*)"|([!#$%&'*+.^_`|~0-9A-Za-z-]+))\s*$/

/** Value of a parameter of one element; empty when it is missing, repeated or hidden by escapes. */
function parameter(element: string, name: string): string {
  let value = ''
  for (const text of element.split(';')) {
    const pair = PAIR.exec(text)
    if (pair === null || pair[1]!.toLowerCase() !== name) continue
    if (value !== '') return ''
    value = pair[2] ?? pair[3] ?? ''
  }
  return value
}

function lastOf(list: string | undefined): string {
  return list === undefined ? '' : list.slice(list.lastIndexOf(',') + 1).trim()
}
