/**
 * Judges client certificates by the bindings of profiles. The certificate comes from the TLS connection, or from the
 * one header field that a trusted proxy is configured to set. The result is kept with the connection (or the field
 * value) until a binding changes; each request compares only the times.
 */
import { type Certificate, readCertificate } from '../../base/crypto/certificate.ts'
import type { RefusalCode } from '../../base/refusal.ts'
import { subjectName } from '../../snapshot/find/subject-name.ts'
import type { Bound } from '../../snapshot/linked/client.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import type { PeerCertificate } from '../../wire/port.ts'
import type { Exchange } from '../exchange.ts'
import { agrees, nameLone } from './agrees.ts'
import { judgeCertificate } from './chain.ts'
import { ambiguous } from './most-specific-profile.ts'
import { expired, failed, PROOF_MS, unavailable } from './signed.ts'

/**
 * `identify` for a client certificate: the profile one of whose bindings it fits. Undefined when there is none, so that
 * something else may say who calls. A certificate that only carries the name of a binding gives way to that too.
 */
export function identifyCertificate(
  exchange: Exchange,
  certificate: PeerCertificate,
): RefusalCode | null | undefined {
  const known = boundOf(exchange.snapshot, certificate)
  if (typeof known === 'string') {
    exchange.reason = known
    return undefined
  }
  const issued = known.filter(({ fault }) => fault === '')
  const candidates = issued.length > 0 || exchange.authorization !== undefined ? issued : known
  if (candidates.length === 0) return undefined
  const fitting = candidates.filter(({ profile }) => agrees(exchange, profile))
  if (fitting.length === 0) {
    const profiles = new Set(candidates.map(({ profile }) => profile))
    nameLone(exchange, [...profiles])
    exchange.reason = 'X-Client-ID or X-Profile-ID is not of the certificate'
    return 'identity_rejected'
  }
  const active = fitting.filter(({ profile }) => profile.fragment.active && profile.client.fragment.active)
  const left = active.length > 0 ? active : fitting
  const profiles = new Set(left.map(({ profile }) => profile))
  if (profiles.size > 1) return ambiguous(exchange, [...profiles])
  const bound = left.find((one) => isInForce(one, exchange.now)) ?? left[0]!
  const { identity } = exchange
  identity.bound = bound
  identity.profile = bound.profile
  identity.client = bound.profile.client
  return null
}

/** `authenticate` for a client certificate. The proof of its key was made to TLS, or to the proxy that told of it. */
export function proveCertificate(exchange: Exchange): RefusalCode | null {
  const { identity, now, lane } = exchange
  const { bound } = identity
  if (bound === null)
    return failed(exchange, exchange.reason || 'no profile has a binding that the certificate fits')
  const { fault, from, until, listedUntil, binding } = bound
  if (fault !== '') return failed(exchange, fault)
  if (binding.retiresAt !== null && now >= binding.retiresAt)
    return expired(exchange, 'the binding is retired')
  if (now >= until) return expired(exchange, 'a certificate of the chain has expired')
  if (now < from) return failed(exchange, 'a certificate of the chain is not valid yet')
  if (now >= listedUntil) return unavailable(exchange, 'a revocation list is missing or out of date')
  if (!bound.hasProved) {
    bound.hasProved = true
    lane.issuers.proofs.claim(keyOf(bound), Math.min(until, now + PROOF_MS), now, bound.profile.client.id)
  }
  identity.credentialId = binding.id
  identity.subject = binding.name.slice(binding.name.indexOf(':') + 1)
  return null
}

/** True when the certificate has proved its caller before, over this connection or another one. */
export function hasProved({ lane, now }: Exchange, bound: Bound): boolean {
  return bound.hasProved || lane.issuers.proofs.has(keyOf(bound), now, bound.profile.client.id)
}

function keyOf({ profile, sha256 }: Bound): string {
  return `${profile.id} ${sha256}`
}

/** True when the certificate proves its caller now. */
export function isInForce({ fault, until, from, binding }: Bound, now: number): boolean {
  return fault === '' && now >= from && now < until && (binding.retiresAt === null || now < binding.retiresAt)
}

/** The bindings whose name the certificate carries, or why it counts for nothing. Judged once for each snapshot with other bindings. */
function boundOf(snapshot: Snapshot, certificate: PeerCertificate): readonly Bound[] | string {
  let bound = snapshot.bound.get(certificate)
  if (bound === undefined) {
    try {
      bound = certificate.fault === '' ? judge(snapshot, certificate) : certificate.fault
    } catch (error) {
      bound = `the certificate cannot be read: ${(error as Error).message}`
    }
    snapshot.bound.set(certificate, bound)
  }
  return bound
}

function judge({ bindings }: Snapshot, { leaf, chain }: PeerCertificate): readonly Bound[] {
  const certificate = readCertificate(leaf)
  const names = namesOf(certificate)
  const profiles = new Set([...names].flatMap((name) => bindings.get(name) ?? []))
  if (profiles.size === 0) return []
  const others = chain.map(readCertificate)
  return [...profiles].flatMap((profile) =>
    profile
      .certificates!.bindings.filter(({ name }) => names.has(name))
      .map((binding) => judgeCertificate(certificate, others, profile, binding)),
  )
}

/** As bindings are called. */
function namesOf({ sha256, dnsNames, uris, subjectParts }: Certificate): ReadonlySet<string> {
  return new Set([
    `sha256:${sha256}`,
    ...dnsNames.map((name) => `san_dns:${name}`),
    ...uris.map((uri) => `san_uri:${uri}`),
    ...(subjectParts.length === 0 ? [] : [`subject:${subjectName(subjectParts)}`]),
  ])
}
