import { lookupOf } from '../../base/crypto/token.ts'
import { bearerOf } from '../../base/http/fields.ts'
import type { RefusalCode } from '../../base/refusal.ts'
import type { LinkedToken } from '../../snapshot/linked/client.ts'
import type { Exchange } from '../exchange.ts'
import { type Explain, NO_CALLER, pass, refuse } from '../explain/judged.ts'
import { Identity } from '../identity.ts'
import { agrees, agreesOnClient, agreesOnProfile } from './agrees.ts'
import { identifyBearer } from './bearer.ts'
import { identifyCertificate } from './certificate.ts'
import { ambiguous } from './most-specific-profile.ts'

/** The scheme of a token without one. */
const NO_BEARER = /^bearer *$/i

/**
 * Finds client and profile by look-up alone; nothing is proved yet. A token names them; ids beside it must
 * agree. Ids alone suffice for a profile of type none.
 */
export function identifyCaller(exchange: Exchange): RefusalCode | null {
  const { authorization } = exchange
  const identity = new Identity()
  exchange.identity = identity
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
    return rejected(exchange, 'X-Client-ID is not the client of the token')
  if (!agreesOnProfile(exchange.profileRef, profile))
    return rejected(exchange, 'X-Profile-ID is not the profile of the token')
  return null
}

function tokenOf(exchange: Exchange, authorization: string): LinkedToken | undefined {
  const { proved, tokens } = exchange.snapshot
  const known = proved.get(authorization)
  if (known !== undefined) {
    exchange.identity.isProved = true
    return known
  }
  const { bearer } = exchange.identity
  if (exchange.reserved && bearer.startsWith('pst_ht_')) return hostTokenOf(exchange)
  const lookup = lookupOf('pk', bearer)
  return lookup === null ? undefined : tokens.get(lookup)
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
