import { z } from 'zod'
import { toMs, toTime } from '../../base/clock.ts'
import type { ProfileSpec } from '../../model/access/profile.ts'
import { confidential } from '../../model/annotations.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'

/** Members of an answer that issued a token. */
export const shownToken = {
  token: confidential('secret', z.string()).optional().describe('The new token; shown only in this response'),
  credential_id: z.string().optional().describe('Names the token in states and request records'),
  token_expires_at: z.string().nullable().optional().describe('When the token expires; null never'),
  signing_secret: confidential('secret', z.string())
    .optional()
    .describe('The new secret of a jwt profile, whose bytes as text are the key; shown only in this answer'),
  kid: z.string().optional().describe('May stand in the header of tokens that are signed with the secret'),
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
