import { z } from 'zod'
import { toTime } from '../../base/clock.ts'
import { toMs } from '../../base/duration.ts'
import type { ProfileSpec } from '../../model/profile.ts'
import type { Fields, Resource } from '../../store/ports/config.ts'
import type { OperationContext } from '../context.ts'

/** Members of an answer that issued a token. */
export const shownToken = {
  token: z.string().optional().describe('The new token; shown only in this answer'),
  credential_id: z.string().optional().describe('Names the token in states and request records'),
  token_expires_at: z.string().nullable().optional().describe('When the token expires; null never'),
}

/** Issues a token as the profile says. A dry run answers without one. */
export async function issueToken(profile: Resource, context: OperationContext): Promise<Fields> {
  // Stored from the parsed spec; only profiles of type token get here.
  const auth = profile.spec['auth'] as Extract<ProfileSpec['auth'], { type: 'token' }>
  const expiresAt = auth.expires_in === null ? null : context.clock.now() + toMs(auth.expires_in)
  const { id, token } = await context.change.issueToken(profile, expiresAt)
  if (token === undefined) return {}
  return { token, credential_id: id, token_expires_at: expiresAt === null ? null : toTime(expiresAt) }
}

/** The token of a new profile, where its type has one. */
export async function issueFirst(profile: Resource, context: OperationContext): Promise<Fields> {
  const { type } = profile.spec['auth'] as ProfileSpec['auth']
  return type === 'token' ? issueToken(profile, context) : {}
}
