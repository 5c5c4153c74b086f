import type { Certificate, Crl } from '../../base/crypto/certificate.ts'
import type { Bound, LinkedBinding, LinkedProfile } from '../../snapshot/linked/client.ts'

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
export function judgeCertificate(
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
