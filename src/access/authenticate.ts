/** Authenticates callers of management interfaces. */
import { looksLikeJwt } from '../base/crypto/jwt.ts'
import type { Protected } from '../base/doors.ts'
import { Refusal } from '../base/refusal.ts'
import type { Surface } from '../model/record.ts'
import type { DirectTokens } from './direct-tokens.ts'
import type { OAuthTokens } from './oauth-tokens.ts'
import { isPersonalToken, type PersonalTokens } from './personal-tokens.ts'
import type { Principal } from './principal.ts'
import type { AccessTokens } from './tokens.ts'
import type { WorkloadTokens } from './workload.ts'

/** Where attempts by nobody known are counted, for the audit. */
interface UnknownCallers {
  note(caller: Came & { readonly reason: string }): void
}

/** From where a credential came, for the audit of those that prove nothing. */
export interface Came {
  readonly surface: Surface
  readonly ip: string | null
  readonly userAgent: string | null
}

/** Verifies an access token for a management surface. Refuses with credentials_missing, credential_invalid or credential_expired. */
export type VerifyToken = (token: string, resource: Protected) => Promise<Principal>

export function createVerifyToken(
  tokens: AccessTokens,
  personal: PersonalTokens,
  workloads: WorkloadTokens,
  oauth: OAuthTokens,
  direct: DirectTokens | null,
): VerifyToken {
  return async (token, resource) => {
    if (isPersonalToken(token)) return personal.verify(token)
    if (!looksLikeJwt(token)) return tokens.verify(token)
    if (oauth.claims(token)) return oauth.verify(token, resource)
    // A pipeline may have its tokens from the identity provider of the people
    if (direct?.claims(token) === true && !(await workloads.isMeant(token)))
      return direct.verify(token, resource)
    return workloads.verify(token)
  }
}

/** Proves who asks a management surface; an attempt that fails is counted in the audit under its source. */
export function createAuthenticate(
  verify: VerifyToken,
  unknown: UnknownCallers,
): (token: string, resource: Protected, came: Came) => Promise<Principal> {
  return async (token, resource, { surface, ip, userAgent }) => {
    try {
      return await verify(token, resource)
    } catch (error) {
      // A store that cannot be read says nothing about the credential
      if (error instanceof Refusal && error.code !== 'store_unavailable')
        unknown.note({ surface, ip, userAgent, reason: error.facts.inner ?? error.code })
      throw error
    }
  }
}
