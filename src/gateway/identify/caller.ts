import { looksLikeJwt, readJwt } from '../../base/crypto/jwt.ts'
import { hashToken, importFault, lookupOf, printOfImported } from '../../base/crypto/token.ts'
import { bearerOf } from '../../base/http/fields.ts'
import type { RefusalCode } from '../../base/refusal.ts'
import { isIn } from '../../snapshot/find/network.ts'
import type { LinkedProfile, LinkedToken, Verified } from '../../snapshot/linked-types/client.ts'
import { type Called, type Exchange, Identity } from '../exchange.ts'
import {
  asIs,
  type Explain,
  type Judged,
  NO_CALLER,
  open,
  pass,
  profileName,
  refuse,
} from '../explain/judged.ts'
import { endOf } from './active.ts'
import { agrees, agreesOnClient, agreesOnProfile, nameLone } from './agrees.ts'
import { ambiguous, identifyCertificate, mostSpecific } from './certificate.ts'
import { takeKeys } from './key-places.ts'
import { identifySignIn, isStale, signInKey } from './sign-in.ts'

/** The scheme of a token without one. */
const NO_BEARER = /^bearer *$/i

/**
 * Finds client and profile by look-up alone; nothing is proved yet. A token names them; ids beside it must
 * agree. Ids alone suffice for a profile of type none.
 */
export function identifyCaller(exchange: Exchange): RefusalCode | null {
  const identity = new Identity()
  exchange.identity = identity
  const places = exchange.collection?.keyPlaces ?? null
  if (places !== null && !takeKeys(exchange, places)) {
    exchange.reason = 'two places of the request have different keys'
    return 'credential_invalid'
  }
  const { authorization } = exchange
  if (exchange.certificate !== null) {
    const code = identifyCertificate(exchange, exchange.certificate)
    if (code !== undefined) return code
  }
  if (authorization === undefined) return byIds(exchange)
  identity.bearer = bearerOf(authorization)
  const token = tokenOf(exchange, authorization)
  if (token === undefined) {
    if (identity.bearer === '' && NO_BEARER.test(authorization)) {
      exchange.authorization = undefined
      return byIds(exchange)
    }
    const mayKnow = exchange.snapshot.issuers.size > 0 || exchange.reserved
    const code = mayKnow ? identifyBearer(exchange) : undefined
    return code === undefined ? byIdsBesideUnknown(exchange) : code
  }
  const { profile } = token
  identity.token = token
  identity.client = profile.client
  identity.profile = profile
  if (!agreesOnClient(exchange.clientRef, profile.client))
    return rejected(exchange, 'X-Client-ID does not name the client of the token')
  if (!agreesOnProfile(exchange.profileRef, profile))
    return rejected(exchange, 'X-Profile-ID does not name the profile of the token')
  return null
}

function tokenOf(exchange: Exchange, authorization: string): LinkedToken | undefined {
  const { proved, tokens, importedTokens } = exchange.snapshot
  const known = proved.get(authorization)
  if (known !== undefined) {
    exchange.identity.isProved = true
    return known
  }
  const { bearer } = exchange.identity
  if (exchange.reserved && bearer.startsWith('pst_ht_')) return hostTokenOf(exchange)
  const lookup = lookupOf('pk', bearer)
  if (lookup !== null) return tokens.get(lookup)
  const { importedKey } = exchange.lane
  return importedKey !== null && importedTokens.size > 0 && importFault(bearer) === null
    ? importedTokens.get(printOfImported(importedKey, bearer).lookup)
    : undefined
}

/** A token of a host is for one virtual MCP: at any other path it is unknown. One for people is a client secret, and opens nothing. */
function hostTokenOf({ identity: { bearer }, snapshot, path }: Exchange): LinkedToken | undefined {
  const lookup = lookupOf('ht', bearer)
  const token = lookup === null ? undefined : snapshot.hostTokens.get(lookup)
  const { virtual_mcp = '', acts_for } = token?.profile.binding ?? {}
  const virtualMcp = acts_for === undefined ? snapshot.virtualMcps.get(virtual_mcp) : undefined
  return virtualMcp !== undefined && path === `/mcp/${virtualMcp.fragment.slug}` ? token : undefined
}

function byIds(exchange: Exchange): RefusalCode | null {
  const { clientRef, profileRef } = exchange
  if (clientRef === undefined && profileRef === undefined)
    // A certificate that fits nobody is a credential that fails
    return exchange.certificate === null ? 'credentials_missing' : null
  const code = resolveIds(exchange)
  if (code !== null) return code
  const client = exchange.identity.client!
  if (exchange.identity.profile === null) {
    if (client.unproved.length > 1) return ambiguous(exchange, client.unproved)
    exchange.identity.profile = client.lone
    if (client.lone === null) return 'credentials_missing'
  }
  const { auth } = exchange.identity.profile!.fragment
  return auth === 'none' || (auth === 'mtls' && exchange.certificate !== null) ? null : 'credentials_missing'
}

/** The credential is not known. Whom the ids name decides which checks come before saying so. */
function byIdsBesideUnknown(exchange: Exchange): RefusalCode | null {
  const { clientRef, profileRef } = exchange
  return clientRef === undefined && profileRef === undefined ? null : resolveIds(exchange)
}

/** Sets the client, and the profile when it is named. */
function resolveIds(exchange: Exchange): RefusalCode | null {
  const { clientRef, profileRef, snapshot } = exchange
  if (clientRef === undefined) {
    // A slug is unique in its client only; an id stands for itself.
    const profile = profileRef === undefined ? undefined : snapshot.profiles.get(profileRef)
    if (profile === undefined) return rejected(exchange, 'unknown profile')
    exchange.identity.client = profile.client
    exchange.identity.profile = profile
    return null
  }
  const client = snapshot.clients.get(clientRef)
  if (client === undefined) return rejected(exchange, 'unknown client')
  exchange.identity.client = client
  if (profileRef === undefined) return null
  const profile = client.profiles.get(profileRef)
  if (profile === undefined) return rejected(exchange, 'the client has no such profile')
  exchange.identity.profile = profile
  return null
}

function rejected(exchange: Exchange, reason: string): RefusalCode {
  exchange.reason = reason
  return 'identity_rejected'
}

/** Ids that are sent name the caller where the question names none, and must agree with it where it does. */
export const explainIdentity: Explain = (exchange, asked) => {
  const isNamed = asked.client !== null || asked.profile !== null
  const clientRef = isNamed ? asked.client : (exchange.clientRef ?? null)
  const profileRef = isNamed ? asked.profile : (exchange.profileRef ?? null)
  const { clients, profiles } = exchange.snapshot
  if (clientRef === null && profileRef === null) return NO_CALLER
  const client = clientRef === null ? null : clients.get(clientRef)
  if (client === undefined) return refuse('identity_rejected', `there is no client "${clientRef}"`, null)
  const found = profileRef === null ? null : (client?.profiles ?? profiles).get(profileRef)
  if (found === undefined) return refuse('identity_rejected', `there is no profile "${profileRef}"`, null)
  const all = client === null ? [] : [...new Set(client.profiles.values())]
  const profile = found ?? client?.lone ?? (all.length === 1 ? all[0]! : null)
  if (profile === null)
    return refuse(
      'profile_ambiguous',
      `the client has ${all.length} profiles: ${all.map(({ fragment }) => fragment.slug).join(', ')}; name one`,
      null,
    )
  const identity = new Identity()
  identity.client = profile.client
  identity.profile = profile
  exchange.identity = identity
  if (!agrees(exchange, profile))
    return refuse(
      'identity_rejected',
      'X-Client-ID or X-Profile-ID does not name the authenticated caller',
      null,
    )
  return pass(
    `client ${profile.client.fragment.slug}, profile ${profile.fragment.slug} (${profile.fragment.auth})`,
  )
}

/**
 * `identify` for tokens that others sign or hold. What a signed token says of itself selects the profile, ids beside it
 * narrow, and nothing is believed before `authenticate`. Undefined when no profile takes it.
 */
function identifyBearer(exchange: Exchange): RefusalCode | null | undefined {
  const { identity, snapshot } = exchange
  const { bearer } = identity
  // Tokens of Postern itself are never shown to anyone.
  if (bearer === '' || bearer.startsWith('pst_')) return undefined
  const isMcp = exchange.reserved && exchange.lane.signIns !== null && looksLikeJwt(bearer)
  if (isMcp) {
    const code = identifyOwn(exchange)
    if (code !== undefined) return code
  }
  identity.verifiedKey = keyOf(exchange)
  const known = snapshot.verified.get(identity.verifiedKey)
  if (known !== undefined && isValid(known, exchange.now)) {
    identity.verified = known
    return settle(exchange, known.profile)
  }
  const candidates = looksLikeJwt(bearer) ? signedCandidates(exchange) : [...snapshot.introspecting.values()]
  if (candidates.length === 0) return undefined
  const fitting = candidates.filter((profile) => agrees(exchange, profile))
  if (fitting.length === 0) {
    nameLone(exchange, candidates)
    exchange.reason = 'X-Client-ID or X-Profile-ID does not match the token'
    return 'identity_rejected'
  }
  const best = identity.jwt === null ? fitting : mostSpecific(identity.jwt, fitting)
  const active = best.filter((profile) => profile.fragment.active && profile.client.fragment.active)
  const left = active.length > 0 ? active : best
  return left.length > 1 ? ambiguous(exchange, left) : settle(exchange, left[0]!)
}

/** The same for a token of Postern's own authorization server. */
function identifyOwn(exchange: Exchange): RefusalCode | null | undefined {
  const { identity, lane, snapshot, path, now } = exchange
  const key = signInKey(identity.bearer, path)
  const known = snapshot.verified.get(key)
  if (known?.signIn !== undefined && isValid(known, now) && !isStale(known.signIn, lane)) {
    // Host, binding or profile may have been linked anew since
    const { id } = known.profile
    const host = snapshot.hosts.get(known.agentHost)
    const profile = host?.client.profiles.get(id) ?? snapshot.profiles.get(id)
    if (profile !== undefined && agrees(exchange, profile)) {
      identity.verifiedKey = key
      identity.verified = known
      identity.isSignIn = true
      return settle(exchange, profile)
    }
  }
  const jwt = readJwt(identity.bearer)
  if (typeof jwt === 'string') return undefined
  const code = identifySignIn(exchange, jwt)
  if (code === null) identity.verifiedKey = key
  return code
}

/** True while what was proved still holds. */
function isValid({ key, from, until }: Verified, now: number): boolean {
  return now >= from && now < until && (key === null || !key.isGone)
}

function settle({ identity }: Exchange, profile: LinkedProfile): null {
  identity.isForeign = true
  identity.profile = profile
  identity.client = profile.client
  return null
}

/** Ids are part of the key: they may decide between profiles. */
function keyOf({ identity: { bearer }, clientRef, profileRef }: Exchange): string {
  if (clientRef === undefined && profileRef === undefined) return hashToken(bearer)
  return hashToken(`${bearer}\n${clientRef ?? ''}\n${profileRef ?? ''}`)
}

function signedCandidates(exchange: Exchange): LinkedProfile[] {
  const { issuers, introspecting } = exchange.snapshot
  const jwt = readJwt(exchange.identity.bearer)
  if (typeof jwt === 'string') {
    exchange.reason = jwt
    return []
  }
  exchange.identity.jwt = jwt
  const { audience, claims, kid } = jwt
  const list = issuers.get(jwt.issuer)
  if (list === undefined) {
    exchange.reason = introspecting.size === 0 ? 'no profile has the issuer' : 'the issuer is not known'
    return []
  }
  const candidates = list.filter(({ verifier }) => {
    const { fragment, keys, match } = verifier!
    return (
      (fragment.audience === null || audience.includes(fragment.audience)) &&
      (kid === null || keys === null || keys.some((key) => key.kid === null || key.kid === kid)) &&
      match.every((rule) => rule(claims))
    )
  })
  if (candidates.length === 0) exchange.reason = 'no profile of the issuer has the audience, key and claims'
  return candidates
}

/** The address of the caller is in the allow list of the profile, if it has one. */
export function addressAllowed({ identity: { profile }, ip }: Exchange): RefusalCode | null {
  const networks = profile === null ? null : profile.networks
  return networks === null || isIn(networks, ip) ? null : 'ip_not_allowed'
}

export const explainAddress: Explain = (exchange, asked, check) => {
  const { profile } = exchange.identity
  if (profile === null) return NO_CALLER
  if (profile.networks === null) return asIs(exchange, check, () => ({ reason: 'all addresses are allowed' }))
  const setting = `${profileName(exchange)} ip_allowlist`
  if (asked.ip === null) return open('no address was given', setting)
  const reason = `${exchange.ip} is in the allow list of the profile`
  return asIs(exchange, check, () => ({ reason, setting }))
}

/**
 * `authenticate` for a recorded request that is made again. What proved its caller is not at hand, but the token of a profile is
 * known by its id, and must still prove them.
 */
export function proofStands(exchange: Called): RefusalCode | null {
  const { replayed, now } = exchange
  const { profile } = exchange.identity
  const { auth } = profile.fragment
  if (auth === 'none') return null
  if (auth !== 'token') {
    exchange.reason = `credentials of a profile of type ${auth} are not recorded, so the caller cannot be authenticated again`
    return 'credential_invalid'
  }
  const token = profile.client.tokens.find(
    (one) => one.profile === profile && one.fragment.id === replayed!.credentialId,
  )
  if (token === undefined) {
    exchange.reason =
      replayed!.credentialId === ''
        ? 'the caller was not authenticated with a token'
        : 'the token of the caller was revoked'
    return 'credential_invalid'
  }
  const end = endOf(token, now)
  if (end !== null) {
    exchange.reason = `the token of the caller is no longer valid: ${end}`
    return 'credential_expired'
  }
  exchange.identity.credentialId = token.fragment.id
  return null
}

/**
 * A recorded request is permitted for the proxy that it met, and for no other. Likewise a capability of a virtual MCP stands for one
 * proxy: `/orders/{id}` with the id `export` would be another one, which the capability policy may hide.
 */
export function sameProxy(exchange: Exchange): RefusalCode | null {
  const { proxy, replayed, through } = exchange
  const meant = replayed?.proxy ?? through?.proxy
  if (meant === undefined || meant === proxy?.id) return null
  exchange.reason =
    replayed === null ? 'the path leads to another proxy' : 'the path leads to another proxy now'
  return 'route_not_found'
}

/** Requests that were not made are explained as over REST, where these checks are not made. */
export const explainReplayOnly = (): Judged => open('applies only to replays of recorded requests')
