import { bearerOf } from '../../base/bearer.ts'
import type { RefusalCode } from '../../base/refusal.ts'
import { lookupOf } from '../../base/token.ts'
import type { LinkedToken } from '../../snapshot/snapshot.ts'
import type { Exchange } from '../exchange.ts'
import { agreesOnClient, agreesOnProfile } from './agrees.ts'
import { identifyBearer } from './bearer.ts'
import { identifyCertificate } from './certificate.ts'
import { ambiguous } from './specific.ts'

/** The scheme of a token without one. */
const NO_BEARER = /^bearer *$/i

/**
 * Check 5. Finds client and profile by look-up alone; nothing is proved yet. A token names them; ids beside it must
 * agree. Ids alone suffice for a profile of type none.
 */
export function identifyCaller(exchange: Exchange): RefusalCode | null {
  const { authorization } = exchange
  // A door may ask again for the same exchange; nothing of the first time may answer for the second.
  exchange.client = null
  exchange.profile = null
  exchange.token = null
  exchange.isProved = false
  exchange.isForeign = false
  exchange.bound = null
  exchange.jwt = null
  exchange.verified = null
  if (exchange.certificate !== null) {
    const code = identifyCertificate(exchange, exchange.certificate)
    if (code !== undefined) return code
  }
  if (authorization === undefined) return byIds(exchange)
  exchange.bearer = bearerOf(authorization)
  const token = tokenOf(exchange, authorization)
  if (token === undefined) {
    if (exchange.bearer === '' && NO_BEARER.test(authorization)) {
      exchange.authorization = undefined
      return byIds(exchange)
    }
    const code = exchange.snapshot.issuers.size === 0 ? undefined : identifyBearer(exchange)
    return code === undefined ? byIdsBesideUnknown(exchange) : code
  }
  const { profile } = token
  exchange.token = token
  exchange.client = profile.client
  exchange.profile = profile
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
    exchange.isProved = true
    return known
  }
  const lookup = lookupOf('pk', exchange.bearer)
  return lookup === null ? undefined : tokens.get(lookup)
}

function byIds(exchange: Exchange): RefusalCode | null {
  const { clientRef, profileRef } = exchange
  if (clientRef === undefined && profileRef === undefined)
    // A certificate that fits nobody is a credential that fails
    return exchange.certificate === null ? 'credentials_missing' : null
  const code = resolveIds(exchange)
  if (code !== null) return code
  const client = exchange.client!
  if (exchange.profile === null) {
    if (client.unproved.length > 1) return ambiguous(exchange, client.unproved)
    exchange.profile = client.lone
    if (client.lone === null) return 'credentials_missing'
  }
  const { auth } = exchange.profile!.fragment
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
    exchange.client = profile.client
    exchange.profile = profile
    return null
  }
  const client = snapshot.clients.get(clientRef)
  if (client === undefined) return rejected(exchange, 'unknown client')
  exchange.client = client
  if (profileRef === undefined) return null
  const profile = client.profiles.get(profileRef)
  if (profile === undefined) return rejected(exchange, 'the client has no such profile')
  exchange.profile = profile
  return null
}

function rejected(exchange: Exchange, reason: string): RefusalCode {
  exchange.reason = reason
  return 'identity_rejected'
}
