import { z } from 'zod'
import { toMs, toTime } from '../../base/clock.ts'
import { readJwk } from '../../base/crypto/jws.ts'
import type { MtlsAuth, ProfileCredentialState, ProfileSpec } from '../../model/access/profile.ts'
import { confidential } from '../../model/annotations.ts'
import { EXPIRES_SOON_MS } from '../../model/bounds.ts'
import { compileCertificates } from '../../snapshot/compile/certificates.ts'
import type { StoredToken } from '../../store/ports/config.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { endOf } from './warnings.ts'

type Life = Pick<StoredToken, 'revoked_at' | 'expires_at' | 'retires_at'>

/** True while a token still proves something. */
export function isLive(token: Life, now: number): boolean {
  return (
    token.revoked_at === null &&
    (token.expires_at === null || token.expires_at > now) &&
    (token.retires_at === null || token.retires_at > now)
  )
}

/** A token as people see it at a moment; `lastUsed` is the time of its last call, milliseconds. */
export function toState(
  token: StoredToken,
  now: number,
  lastUsed: number | null = null,
): ProfileCredentialState {
  const time = (ms: number | null): string | null => (ms === null ? null : toTime(ms))
  return {
    id: token.id,
    lookup: token.lookup,
    state: stateOf(token, now),
    created_at: toTime(token.created_at),
    expires_at: time(token.expires_at),
    retires_at: time(token.retires_at),
    last_used_at: toMinute(lastUsed),
  }
}

/** A time to the minute. */
export function toMinute(ms: number | null): string | null {
  return ms === null ? null : toTime(ms - (ms % 60_000))
}

function stateOf(token: Life, now: number): ProfileCredentialState['state'] {
  if (token.revoked_at !== null) return 'revoked'
  if (!isLive(token, now)) return 'expired'
  if (token.retires_at !== null) return 'retiring'
  return token.expires_at !== null && token.expires_at - now <= EXPIRES_SOON_MS ? 'expiring_soon' : 'valid'
}

/** The public keys and certificate bindings that stand in a profile, as people see them at a moment. */
export function keyStates(auth: ProfileSpec['auth'], now: number): ProfileCredentialState[] {
  if (auth.type === 'mtls') return bindingStates(auth, now)
  if (auth.type !== 'jwt') return []
  return auth.keys.map(({ retires_at, ...jwk }) => {
    const { id, kid } = readJwk(jwk)
    const retires = retires_at ?? null
    const state = retires === null ? 'valid' : Date.parse(retires) > now ? 'retiring' : 'expired'
    return {
      id,
      lookup: kid ?? id,
      state,
      created_at: null,
      expires_at: null,
      retires_at: retires,
      last_used_at: null,
    }
  })
}

/** A binding ends when its authority does; when the certificates of callers end is not known before they call. */
function bindingStates(auth: MtlsAuth, now: number): ProfileCredentialState[] {
  return compileCertificates(auth).bindings.map(({ id, name, ca, retires_at }) => {
    const until = endOf(ca)
    const token = { revoked_at: null, expires_at: until, retires_at }
    return {
      id,
      lookup: name,
      state: stateOf(token, now),
      created_at: null,
      expires_at: toTime(until),
      retires_at: retires_at === null ? null : toTime(retires_at),
      last_used_at: null,
    }
  })
}

/** Members of an answer that issued a token. */
export const shownToken = {
  token: confidential('secret', z.string()).optional().describe('The new token; shown only in this response'),
  credential_id: z.string().optional().describe('Names the token in states and request records'),
  token_expires_at: z.string().nullable().optional().describe('Expiry of the token; null: never'),
  signing_secret: confidential('secret', z.string())
    .optional()
    .describe(
      'The new secret of a jwt profile, whose bytes as text are the key; shown only in this response',
    ),
  kid: z.string().optional().describe('kid for the header of tokens that are signed with the secret'),
}

/** What a profile issues: a token, a secret to sign with, or nothing. */
export function issuesOf({ spec }: Resource<'profiles'>): 'token' | 'secret' | null {
  const auth = spec.auth
  if (auth.type === 'token') return 'token'
  return auth.type === 'jwt' && auth.mode === 'secret' ? 'secret' : null
}

/** Issues what the profile says. A dry run answers without it. */
export async function issue(profile: Resource<'profiles'>, context: OperationContext): Promise<Fields> {
  switch (issuesOf(profile)) {
    case 'token':
      return issueToken(profile, context)
    case 'secret':
      return issueSecret(profile, context)
    case null:
      return {}
  }
}

async function issueToken(profile: Resource, context: OperationContext): Promise<Fields> {
  // Stored from the parsed spec, whose type was just looked at.
  const auth = profile.spec['auth'] as Extract<ProfileSpec['auth'], { type: 'token' }>
  const expiresAt = auth.expires_in === null ? null : context.clock.now() + toMs(auth.expires_in)
  const { id, token } = await context.change.secrets.issueToken(profile, expiresAt)
  if (token === undefined) return {}
  return { token, credential_id: id, token_expires_at: expiresAt === null ? null : toTime(expiresAt) }
}

async function issueSecret(profile: Resource, context: OperationContext): Promise<Fields> {
  const { id, secret, kid } = await context.change.secrets.issueSigningSecret(profile)
  return secret === undefined ? {} : { signing_secret: secret, credential_id: id, kid }
}
