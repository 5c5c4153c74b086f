/**
 * Judges client certificates by the bindings of profiles. The certificate comes from the TLS connection, or from the
 * one header field that a trusted proxy is configured to set. The result is kept with the connection (or the field
 * value) until a binding changes; each request compares only the times.
 */
import { type Certificate, type Crl, readCertificate } from '../../base/crypto/certificate.ts'
import type { Jwt } from '../../base/crypto/jwt.ts'
import type { RefusalCode } from '../../base/refusal.ts'
import { subjectName } from '../../snapshot/find/people.ts'
import type { Bound, LinkedBinding, LinkedProfile, Verified } from '../../snapshot/linked-types/client.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import type { PeerCertificate } from '../../wire/port.ts'
import type { Exchange } from '../exchange.ts'
import { agrees, nameLone } from './agrees.ts'
import { expired, failed, faultOf, PROOF_MS, unavailable } from './signed.ts'

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
    exchange.reason = 'X-Client-ID or X-Profile-ID does not match the certificate'
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
    return failed(exchange, exchange.reason || 'the certificate matches no binding of a profile')
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

/** True until a proof has ended that was made earlier: its token, the key that had signed it, its certificate, or the lists of revoked ones. */
export function lasts(proof: Bound | Verified, now: number): boolean {
  return 'binding' in proof
    ? isInForce(proof, now) && now < proof.listedUntil
    : now < proof.endsAt && proof.key?.isGone !== true
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

/** Authorities between a certificate and the one that is trusted. */
const BETWEEN_MAX = 4

/** A certificate, and the one whose key has signed it. */
interface Link {
  readonly certificate: Certificate
  readonly issuer: Certificate
}

/**
 * Judges a certificate by a binding (RFC 5280 section 6): the chain to one of its authorities, uses, revocation. What depends
 * on the time is given as bounds, so that the judgement can be kept.
 * @param others candidates for the authorities in between, which the caller sent.
 */
function judgeCertificate(
  leaf: Certificate,
  others: readonly Certificate[],
  profile: LinkedProfile,
  binding: LinkedBinding,
): Bound {
  const refused = (fault: string): Bound => ({
    profile,
    binding,
    sha256: leaf.sha256,
    hasProved: false,
    fault,
    from: 0,
    until: Infinity,
    listedUntil: Infinity,
  })
  if (!leaf.isForClients) return refused('the certificate is not for clients')
  const links = chainOf(leaf, others, binding.authorities)
  if (typeof links === 'string') return refused(links)
  const { crls, softFail } = profile.certificates!
  const all = [leaf, ...links.map(({ issuer }) => issuer)]
  const above = crls === null ? [] : linksAbove(links.at(-1)!.issuer, binding.authorities)
  if (crls !== null && [...links, ...above].some((link) => isRevoked(link, crls)))
    return refused('a certificate of the chain is revoked')
  const listed = crls === null ? Infinity : listedUntil(links, crls)
  return {
    profile,
    binding,
    sha256: leaf.sha256,
    hasProved: false,
    fault: '',
    from: Math.max(...all.map(({ from }) => from)),
    until: Math.min(...all.map(({ until }) => until)),
    listedUntil: softFail ? Infinity : listed,
  }
}

function chainOf(
  leaf: Certificate,
  others: readonly Certificate[],
  authorities: readonly Certificate[],
): readonly Link[] | string {
  const links: Link[] = []
  let last = leaf
  for (let between = 0; between <= BETWEEN_MAX; between++) {
    if (last.fault !== '') return `of a certificate in the chain: ${last.fault}`
    const issues = (candidate: Certificate): boolean =>
      candidate.ca !== null &&
      candidate.allowsClients &&
      candidate.ca.pathLength >= between &&
      candidate.subject === last.issuer &&
      last.x509.verify(candidate.x509.publicKey)
    const trusted = authorities.find(issues)
    if (trusted !== undefined) return [...links, { certificate: last, issuer: trusted }]
    const issuer = others.find(issues)
    if (issuer === undefined) return 'no authority of the binding has issued the certificate'
    links.push({ certificate: last, issuer })
    last = issuer
  }
  return 'the chain is too long'
}

/** From the authority at which the chain ends on, through those of the binding: an authority that is trusted may be revoked by them. */
function linksAbove(trusted: Certificate, authorities: readonly Certificate[]): readonly Link[] {
  const links: Link[] = []
  let last = trusted
  while (links.length < authorities.length) {
    const issuer = authorities.find(
      (one) => one !== last && one.subject === last.issuer && last.x509.verify(one.x509.publicKey),
    )
    if (issuer === undefined) break
    links.push({ certificate: last, issuer })
    last = issuer
  }
  return links
}

function isRevoked(link: Link, crls: readonly Crl[]): boolean {
  return listsOf(link, crls).some(({ revoked }) => revoked.has(link.certificate.serial))
}

/** Until when the lists of all issuers hold; 0 where one is missing. */
function listedUntil(links: readonly Link[], crls: readonly Crl[]): number {
  return Math.min(...links.map((link) => Math.max(0, ...listsOf(link, crls).map(({ until }) => until))))
}

function listsOf({ issuer }: Link, crls: readonly Crl[]): readonly Crl[] {
  return crls.filter(
    (crl) => crl.issuer === issuer.subject && issuer.signsCrls && crl.isSignedBy(issuer.x509.publicKey),
  )
}

/**
 * The profiles that fit a signed token best. The order is total, and the first criterion that differs decides:
 *
 * 1. more claims that the profile selects by: those of `match`, and `aud` where it has an audience
 * 2. more of them selected by exact values rather than by a pattern
 * 3. the token meets what the profile requires of claims and scopes
 * 4. more required claims and scopes
 *
 * Whether a profile is switched on is no criterion: else the callers of a profile that is switched off would go on as
 * those of a broader one.
 */
export function mostSpecific(jwt: Jwt, profiles: readonly LinkedProfile[]): readonly LinkedProfile[] {
  if (profiles.length < 2) return profiles
  const ranked = profiles.map((profile) => ({ profile, rank: rankOf(jwt, profile) }))
  const best = ranked.reduce((a, b) => (compare(b.rank, a.rank) > 0 ? b : a)).rank
  return ranked.filter(({ rank }) => compare(rank, best) === 0).map(({ profile }) => profile)
}

function rankOf({ claims }: Jwt, { verifier }: LinkedProfile): readonly number[] {
  const { selectors, exact, requirements } = verifier!.specificity
  return [selectors, exact, faultOf(verifier!, claims) === null ? 1 : 0, requirements]
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [index, value] of a.entries()) if (value !== b[index]) return value - b[index]!
  return 0
}

const NAMED_MAX = 10

/** Refuses, and names the profiles for the record alone. */
export function ambiguous(exchange: Exchange, profiles: readonly LinkedProfile[]): 'profile_ambiguous' {
  const names = profiles
    .slice(0, NAMED_MAX)
    .map(({ client, fragment }) => `${client.fragment.slug}:${fragment.slug}`)
  const more = profiles.length - names.length
  exchange.reason = `matches the profiles ${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
  return 'profile_ambiguous'
}
