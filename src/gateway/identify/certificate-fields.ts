import { readPem } from '../../base/crypto/certificate.ts'
import { Lru } from '../../base/memory/lru.ts'
import type { Incoming, PeerCertificate } from '../../wire/port.ts'
import { CLIENT_CERT, CLIENT_CERT_CHAIN, FORWARDED_CLIENT_CERT } from '../request-headers.ts'
import { splitQuoted } from './signed.ts'

/** Certificates that one thread remembers. */
const KNOWN_MAX = 2000
const CHAIN_MAX = 8
const NOTHING = new Uint8Array(0)

/** The field in which trusted proxies tell of certificates: that of RFC 9440, with its chain beside it, or Envoy's. */
export type CertificateField = 'client-cert' | 'x-forwarded-client-cert'

/**
 * Reads what a trusted proxy tells of its caller's certificate; null where it tells of none. What cannot be read counts for
 * nothing, and says why. The same fields give the same object, so that a certificate is read and judged once.
 * @param field The one that the proxies write: any other they may pass on as their callers sent it. Null for none.
 */
export function createForwardedCertificates(
  field: CertificateField | null,
): (taken: Incoming['taken']) => PeerCertificate | null {
  if (field === null) return () => null
  const isForwarded = field === 'x-forwarded-client-cert'
  const known = new Lru<string, PeerCertificate>(KNOWN_MAX)
  return (taken) => {
    const value = taken[isForwarded ? FORWARDED_CLIENT_CERT : CLIENT_CERT]
    if (value === undefined) return null
    const chain = isForwarded ? undefined : taken[CLIENT_CERT_CHAIN]
    const key = `${value}\n${chain ?? ''}`
    let certificate = known.get(key)
    if (certificate === undefined) {
      certificate = isForwarded ? readForwardedClientCert(value) : readClientCert(value, chain)
      // A copy: what was cut from the head of a request would keep all of the head
      known.set(Buffer.from(key, 'latin1').toString('latin1'), certificate)
    }
    return certificate
  }
}

function unreadable(fault: string): PeerCertificate {
  return { leaf: NOTHING, chain: [], fault }
}

/** Client-Cert and Client-Cert-Chain (RFC 9440): byte sequences of structured fields (RFC 9651 3.3.5). */
export function readClientCert(value: string, chain: string | undefined): PeerCertificate {
  const leaf = byteSequence(value)
  const others = (chain === undefined ? [] : chain.split(',')).map(byteSequence)
  if (leaf === null) return unreadable('Client-Cert is no byte sequence')
  if (!others.every((one) => one !== null))
    return unreadable('Client-Cert-Chain is no list of byte sequences')
  return { leaf, chain: others.slice(0, CHAIN_MAX), fault: '' }
}

/** Null for what is no byte sequence, or an empty one. Parameters are read past. */
function byteSequence(text: string): Buffer | null {
  const match = /^[ \t]*:([A-Za-z0-9+/]+={0,2}):(?:;[ ]*[a-z*][a-z0-9_.*-]*(?:=[^,;" \t]*)?)*[ \t]*$/.exec(
    text,
  )
  return match === null ? null : Buffer.from(match[1]!, 'base64')
}

/** Envoy's X-Forwarded-Client-Cert; of several elements the last one, which the nearest proxy has written. */
export function readForwardedClientCert(value: string): PeerCertificate {
  const element = splitQuoted(value, ',').at(-1)
  if (element === undefined) return unreadable('X-Forwarded-Client-Cert has an open quote')
  const pairs = new Map<string, string>()
  for (const pair of splitQuoted(element, ';')) {
    const match = /^\s*([A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^"\s]*))\s*$/.exec(pair)
    if (match === null) return unreadable('X-Forwarded-Client-Cert is malformed')
    const name = match[1]!.toLowerCase()
    // Names of the certificate may stand there several times
    if (pairs.has(name) && (name === 'cert' || name === 'chain'))
      return unreadable('X-Forwarded-Client-Cert names a member twice')
    pairs.set(name, match[2] ?? match[3] ?? '')
  }
  const certificate = pairs.get('cert')
  if (certificate === undefined) return unreadable('X-Forwarded-Client-Cert is without Cert')
  try {
    const [leaf, ...more] = pemOf(certificate)
    const chain = pairs.has('chain') ? pemOf(pairs.get('chain')!) : []
    // Chain has the certificate itself in front
    const others = [...more, ...chain].filter((one) => !one.equals(leaf!))
    return { leaf: leaf!, chain: others.slice(0, CHAIN_MAX), fault: '' }
  } catch (error) {
    return unreadable(`X-Forwarded-Client-Cert: ${(error as Error).message}`)
  }
}

function pemOf(encoded: string): Buffer[] {
  return readPem(decodeURIComponent(encoded), 'CERTIFICATE')
}
