/**
 * Access tokens of Postern's own authorization server at the MCP endpoints: `/mcp`, `/mcp/{slug}` and `/mcp/-/{client}/{profile}`.
 *
 * 1. A token is for the one path that is its audience (RFC 8707). At another path it is as invalid as any other.
 * 2. The main thread verifies a token when a thread first sees it, and the proof is remembered until the token ends. Person, host and
 *    sharing are looked up in the snapshot with each message, so that switching one off holds from the next message.
 * 3. When a grant is revoked, the main thread tells all threads, and the proofs of its tokens count no longer.
 */
import {
  BINDING_CLAIM,
  CREDENTIAL_CLAIM,
  HOST_CLAIM,
  type Jwt,
  PROFILE_CLAIM,
  SUBJECT_HOST_CLAIM,
} from '../../base/crypto/jwt.ts'
import { hashToken } from '../../base/crypto/token.ts'
import { isConsumerResource, isVirtualMcp } from '../../base/http/origins.ts'
import type { Plain } from '../../base/json/storable.ts'
import type { RefusalCode } from '../../base/refusal.ts'
import { isAmong } from '../../snapshot/find/people.ts'
import type { BoundFragment, PersonFragment } from '../../snapshot/fragments.ts'
import type { LinkedHost, LinkedProfile, SignedIn, Verified } from '../../snapshot/linked-types/client.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import type { Exchange, Known, Lane } from '../exchange.ts'
import { endOf } from './active.ts'
import { agrees } from './agrees.ts'
import { accept, admit, copyOf, expired, failed, unavailable } from './signed.ts'

/** `identify` for a token of our own: what it says of itself selects host or profile, and nothing is believed yet. Undefined for another token. */
export function identifySignIn(exchange: Exchange, jwt: Jwt): RefusalCode | null | undefined {
  const { identity, lane, snapshot, path } = exchange
  if (lane.signIns === null || jwt.issuer !== lane.signIns.issuer || !isConsumerResource(path))
    return undefined
  const profile = isVirtualMcp(path)
    ? profileAtHost(jwt, snapshot)
    : snapshot.profiles.get(idIn(jwt.claims, PROFILE_CLAIM))
  if (profile === undefined) {
    exchange.reason = 'the token names no host or profile that exists'
    return undefined
  }
  if (!agrees(exchange, profile)) {
    exchange.reason = 'X-Client-ID or X-Profile-ID does not match the token'
    return 'identity_rejected'
  }
  identity.jwt = jwt
  identity.isForeign = true
  identity.isSignIn = true
  identity.profile = profile
  identity.client = profile.client
  return null
}

/** At a virtual MCP a person is a guest of the host, whatever profile the person uses elsewhere; an agent comes by its binding. */
function profileAtHost({ claims }: Jwt, { hosts }: Pick<Snapshot, 'hosts'>): LinkedProfile | undefined {
  const { [BINDING_CLAIM]: binding } = claims
  const host = hosts.get(idIn(claims, HOST_CLAIM))
  if (binding === undefined) return host?.profile
  const profile = host?.client.profiles.get(idIn(claims, BINDING_CLAIM))
  // Profiles are found by their slugs too
  return profile?.id === binding && profile?.binding !== null ? profile : undefined
}

/** An id that a claim holds, which may be anything before the token is proved; empty where it is no text. */
function idIn(claims: Plain, name: string): string {
  const id = claims[name]
  return typeof id === 'string' ? id : ''
}

/**
 * True for a token that says that it has ended. It is refused unverified and counts no failure: each client comes with such a token every
 * 15 minutes, and refreshes it only when it is told 401.
 */
export function isOver({ expires }: Jwt, now: number): boolean {
  return expires !== null && now >= expires * 1000
}

/** Under which a proof is remembered: a token proves somebody at one path only. */
export function signInKey(bearer: string, path: string): string {
  return hashToken(`${path}\n${bearer}`)
}

/** `authenticate` for a token of our own that no request has proved yet. */
export async function proveSignIn(exchange: Known, jwt: Jwt): Promise<RefusalCode | null> {
  const { identity, lane, path, ip } = exchange
  if (!isConsumerResource(path)) return failed(exchange, 'wrong audience')
  if (isOver(jwt, exchange.now)) {
    exchange.reason = 'expired'
    return 'credential_expired'
  }
  // Before the question: what is revoked meanwhile is not missed
  const epoch = lane.signIns!.epoch()
  const proof = await lane.signIns!.prove(identity.bearer, path, ip)
  if (!proof.ok) {
    if (proof.code === 'identity_unavailable') return unavailable(exchange, proof.reason)
    return proof.code === 'credential_expired'
      ? expired(exchange, proof.reason)
      : failed(exchange, proof.reason)
  }
  const { user, grant, scopes, until } = proof
  const { [HOST_CLAIM]: host, [CREDENTIAL_CLAIM]: credential, [SUBJECT_HOST_CLAIM]: subjectHost } = jwt.claims
  const isAgent = typeof credential === 'string'
  const verified: Verified = {
    profile: identity.profile,
    key: null,
    credentialId:
      grant ?? exchange.snapshot.hostTokens.get(idIn(jwt.claims, CREDENTIAL_CLAIM))?.fragment.id ?? '',
    from: 0,
    until,
    endsAt: until,
    subject: user ?? '',
    agentHost: typeof host === 'string' ? copyOf(host) : '',
    claims: new Map(),
    signIn: {
      user,
      grant,
      scopes: new Set(scopes),
      epoch,
      ...(isAgent ? { credential: copyOf(credential) } : {}),
      ...(typeof subjectHost === 'string' ? { subjectHost: copyOf(subjectHost) } : {}),
    },
  }
  const code = personStands(exchange, verified, verified.signIn!)
  if (code !== null) return code
  return accept(exchange, verified)
}

/** What holds now of a proof, whenever it was made. */
export function admitSignIn(exchange: Exchange, verified: Verified, signIn: SignedIn): RefusalCode | null {
  return personStands(exchange, verified, signIn) ?? admit(exchange, verified)
}

function personStands(exchange: Exchange, verified: Verified, signIn: SignedIn): RefusalCode | null {
  const { fault } = standingOfSignIn(exchange, exchange.identity.profile, verified, signIn)
  if (fault === null || fault === HOST_INACTIVE) return fault
  return failed(exchange, fault)
}

const HOST_INACTIVE = 'client_inactive'

interface SignInStanding {
  /** Undefined for an agent that acts for itself. */
  readonly person: PersonFragment | undefined
  readonly host: LinkedHost | undefined
  /** Why the caller may not call now, for the record; null where the caller may. */
  readonly fault: string | null
}

/** Where a sign-in is judged. */
interface SignInPlace {
  readonly snapshot: Snapshot
  readonly lane: Pick<Lane, 'signIns'>
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** The grant may have been revoked since the token was proved, and it is to be proved again. */
export function isStale({ grant, epoch }: SignedIn, { signIns }: Pick<Lane, 'signIns'>): boolean {
  return grant !== null && signIns !== null && epoch !== signIns.epoch()
}

/** What holds now of the person and the host of a sign-in. */
export function standingOfSignIn(
  place: SignInPlace,
  profile: LinkedProfile | null,
  { agentHost }: Pick<Verified, 'agentHost'>,
  signIn: SignedIn,
): SignInStanding {
  const { snapshot, lane } = place
  const { user, grant } = signIn
  const person = user === null ? undefined : snapshot.people.get(user)
  const host = snapshot.hosts.get(agentHost)
  const isRevoked = grant !== null && (lane.signIns?.hasEnded(grant) === true || isStale(signIn, lane))
  return {
    person,
    host,
    fault: isRevoked ? 'the grant was revoked' : faultOf(person, host, profile, signIn, place),
  }
}

function faultOf(
  person: PersonFragment | undefined,
  host: LinkedHost | undefined,
  profile: LinkedProfile | null,
  signIn: SignedIn,
  place: SignInPlace,
): string | typeof HOST_INACTIVE | null {
  if (signIn.user !== null && person?.active !== true) return 'the user is inactive or was deleted'
  if (host === undefined) return 'the host was deleted'
  if (!host.fragment.active) return HOST_INACTIVE
  if (profile !== null && profile.binding !== null)
    return faultOfBinding(person, profile, profile.binding, signIn, place)
  if (person === undefined) return 'the token belongs to no person'
  if (profile !== null && profile.id !== host.id && !mayUseProfile(person, profile, place.snapshot))
    return 'the user may no longer sign in to the profile'
  return null
}

/** What an agent got for the token or the keys of its binding ends with these, and with what the binding says of people. */
function faultOfBinding(
  person: PersonFragment | undefined,
  { id }: LinkedProfile,
  { user, acts_for, keys, virtual_mcp }: BoundFragment,
  { credential = '', subjectHost }: SignedIn,
  { snapshot, now }: SignInPlace,
): string | null {
  const token = keys === undefined ? snapshot.hostTokens.get(credential) : undefined
  const isProof =
    token === undefined ? credential === keys : token.profile.id === id && endOf(token, now) === null
  if (!isProof) return 'the token or the keys of the binding are no longer valid'
  if (acts_for === undefined)
    return user === (person?.id ?? null) ? null : 'the binding is for another person'
  if (person === undefined || !isAmong(person, acts_for, snapshot.teams))
    return 'the binding does not name the user'
  return subjectHost === undefined || isOpenTo(person, snapshot.hosts.get(subjectHost), virtual_mcp)
    ? null
    : 'the host of the person is inactive'
}

/** True where a person may use an application at a virtual MCP: neither is switched off there. */
function isOpenTo({ id }: PersonFragment, host: LinkedHost | undefined, virtualMcp: string): boolean {
  if (host?.fragment.active !== true) return false
  return !host.off.has(virtualMcp) && !host.off.has(`${virtualMcp} ${id}`)
}

/** True where the profile names the person, or a team of theirs. */
function mayUseProfile(
  person: PersonFragment,
  { fragment: { agent_sign_in: among } }: LinkedProfile,
  { teams }: Pick<Snapshot, 'teams'>,
): boolean {
  return among !== undefined && isAmong(person, among, teams)
}

/** Puts into the exchange for whom an agent acts, once its token is proved. */
export function admitHost(
  exchange: Exchange,
  { client }: LinkedProfile,
  { user }: BoundFragment,
): RefusalCode | null {
  const { identity, snapshot } = exchange
  if (user !== null && snapshot.people.get(user)?.active !== true)
    return failed(exchange, 'the user is inactive or was deleted')
  identity.subject = user ?? ''
  identity.agentHost = client.id
  return null
}
