import { hashToken } from '../../base/crypto/token.ts'
import type { RefusalCode } from '../../base/refusal.ts'
import { beforeRotation } from '../../snapshot/link/credential.ts'
import { CONNECTED } from '../../snapshot/link/small-kinds.ts'
import type { LinkedCredential, LinkedGrant } from '../../snapshot/linked-types/credential.ts'
import type { Exchange, Located, Routed } from '../exchange.ts'
import { collectionName, type Explain, NO_CALLER, open, pass, proxyName, refuse } from '../explain/judged.ts'
import { connected } from './connected.ts'
import { upstreamOf } from './targets.ts'
import type { Fetched } from './tokens.ts'

/** The upstream is known, and its credential could be opened or fetched. */
export function credentialReady(exchange: Routed): RefusalCode | null | Promise<RefusalCode | null> {
  if (exchange.collection.upstream === null) {
    exchange.reason = 'the collection has no upstream'
    return 'upstream_unavailable'
  }
  const { credential: id, headers } = exchange.proxy
  if (headers.fault !== null) {
    exchange.reason = headers.fault
    return 'credential_unavailable'
  }
  if (id === null) return null
  const credential = exchange.snapshot.credentials.get(id)
  if (credential === undefined) {
    if (id === CONNECTED) return connected(exchange)
    exchange.reason = `credential ${id} is not available`
    return 'credential_unavailable'
  }
  credential.usedAt = exchange.now
  if (credential.grant === null) {
    exchange.credential = credential
    exchange.signing = credential.signing
    exchange.hasOther = credential.previous !== null
    return credential.certificate === null ? null : certified(exchange, credential)
  }
  return granted(exchange, credential)
}

/** What keeps a credential from being used for this proxy and profile at all; null where nothing does. */
function misplaced(exchange: Routed, { id, certificate, grant }: LinkedCredential): string | null {
  // A certificate is shown over TLS alone: without it the upstream would be called as by anybody.
  if (
    certificate !== null &&
    upstreamOf(exchange)!.targets.some(({ fragment }) => fragment.scheme !== 'https')
  )
    return `credential ${id} needs an https upstream`
  // Tokens that Postern has issued are for Postern alone.
  if (grant?.exchanges === true && exchange.identity.profile.verifier === null) return nothingToExchange(id)
  return null
}

const nothingToExchange = (id: string): string =>
  `credential ${id}: the caller sent no token that could be exchanged`

function certified(exchange: Routed, credential: LinkedCredential): RefusalCode | null {
  const fault = misplaced(exchange, credential)
  if (fault !== null) {
    exchange.reason = fault
    return 'credential_unavailable'
  }
  exchange.shownCertificate = credential.certificate
  return null
}

function granted(
  exchange: Routed,
  { id, grant }: LinkedCredential,
): RefusalCode | null | Promise<RefusalCode | null> {
  const subject = subjectOf(exchange, grant!)
  if (subject === null) {
    exchange.reason = nothingToExchange(id)
    return 'credential_unavailable'
  }
  const fetched = exchange.lane.tokens.of(grant!, ...subject)
  return fetched instanceof Promise
    ? fetched.then((it) => take(exchange, id, it))
    : take(exchange, id, fetched)
}

/** For whom a token is fetched, and what the form says of it; null where a caller has nothing to show. */
function subjectOf(
  { identity: { profile, bearer } }: Routed,
  { exchanges }: LinkedGrant,
): readonly [string, Readonly<Record<string, string>>] | null {
  if (!exchanges) return ITSELF
  return profile.verifier === null || bearer === '' ? null : [hashToken(bearer), { subject_token: bearer }]
}

const ITSELF: readonly [string, Readonly<Record<string, string>>] = ['', {}]

function take(exchange: Exchange, id: string, fetched: Fetched): RefusalCode | null {
  if ('reason' in fetched) {
    exchange.reason = `credential ${id}: ${fetched.reason}`
    return 'credential_unavailable'
  }
  exchange.credential = fetched
  exchange.hasOther = true
  return null
}

/**
 * The upstream has refused the credential of the exchange: puts another token in its place, or what the credential
 * was before its rotation. Null when there is none to try; else a refusal where it could not be fetched.
 */
export function renewed(exchange: Routed): Promise<RefusalCode | null> | null {
  const id = exchange.proxy.credential
  const credential = id === null ? undefined : exchange.snapshot.credentials.get(id)
  if (credential === undefined || exchange.credential === null) return null
  if (credential.grant === null) {
    const previous = beforeRotation(credential.previous, exchange.now)
    if (previous === null) return null
    exchange.credential = previous.credential
    exchange.signing = previous.credential.signing
    return Promise.resolve(null)
  }
  const subject = subjectOf(exchange, credential.grant)
  const other = subject && exchange.lane.tokens.instead(credential.grant, ...subject, exchange.credential)
  return other?.then((fetched) => take(exchange, credential.id, fetched)) ?? null
}

export const explainCredential: Explain<Located> = (exchange) => {
  if (exchange.identity.profile === null) return NO_CALLER
  const { snapshot, proxy, collection } = exchange
  if (collection.upstream === null)
    return refuse(
      'upstream_unavailable',
      'the collection has no upstream',
      `${collectionName(collection)} upstream`,
    )
  if (proxy !== null && proxy.headers.fault !== null)
    return refuse(
      'credential_unavailable',
      proxy.headers.fault,
      `${proxyName(collection, proxy)} headers; ${collectionName(collection)} headers`,
    )
  const id = proxy === null ? null : proxy.credential
  if (id === null) return pass('nothing is added for the upstream')
  const setting = `credentials/${id}`
  const known = snapshot.credentials.get(id)
  const fault =
    known === undefined ? `credential ${id} is not available` : misplaced(exchange as Routed, known)
  if (fault !== null) return refuse('credential_unavailable', fault, setting)
  return known!.grant === null
    ? pass(`credential ${id}`, setting)
    : open(`credential ${id}: depends on the token endpoint`, setting)
}
