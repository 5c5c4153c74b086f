import { z } from 'zod'
import { toMs, toTime } from '../../base/clock.ts'
import { IMPORTED_CHARS_MAX, IMPORTED_CHARS_MIN, importFault } from '../../base/crypto/token.ts'
import { refuse } from '../../base/refusal.ts'
import type { ProfileSpec } from '../../model/access/profile.ts'
import { confidential } from '../../model/annotations.ts'
import { Ref } from '../../model/members.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { about, define } from '../engine/define.ts'
import { viewOf } from '../engine/views.ts'
import { profileKind } from './kind.ts'
import { isLive } from './tokens.ts'

/** Live tokens of a profile, with which an import stops: each is compared with nothing, but people keep track of few. */
const LIVE_MAX = 10

/** What became of a text that is imported. `reason` has nothing of it. */
export type ImportedToken =
  | { readonly ok: true; readonly id: string; readonly isNew: boolean; readonly expiresAt: number | null }
  | { readonly ok: false; readonly reason: string }

/** Imports one token into a profile that the caller may rotate. It lives as long as a token that the profile issues now. */
export async function importInto(
  profile: Resource<'profiles'>,
  text: string,
  { change, whole, clock }: OperationContext,
): Promise<ImportedToken> {
  const { auth } = profile.spec
  if (auth.type !== 'token') return { ok: false, reason: `the profile is of type ${auth.type}` }
  const fault = importFault(text)
  if (fault !== null) return { ok: false, reason: fault }
  const now = clock.now()
  const live = (await whole.tokensOf([profile.id])).filter((token) => isLive(token, now))
  const expiresAt = expiryOf(auth, now)
  const imported = await change.secrets.importToken(profile, text, expiresAt, live.length < LIVE_MAX)
  switch (imported.outcome) {
    case 'taken':
      return { ok: false, reason: 'it is already in use, or was revoked' }
    case 'full':
      return { ok: false, reason: `the profile has ${LIVE_MAX} valid tokens, which is the maximum` }
    case 'new':
      return { ok: true, id: imported.id, isNew: true, expiresAt }
    case 'present':
      return { ok: true, id: imported.id, isNew: false, expiresAt: imported.expiresAt }
  }
}

function expiryOf(auth: Extract<ProfileSpec['auth'], { type: 'token' }>, now: number): number | null {
  return auth.expires_in === null ? null : now + toMs(auth.expires_in)
}

export const importProfileToken = define({
  resource: 'profiles',
  action: 'import',
  effect: 'act',
  tool: 'import_profile_token',
  group: 'manage_profiles',
  summary: 'Import a token that another gateway has issued; callers continue to send it',
  input: z.strictObject({
    id: Ref,
    token: confidential('secret', z.string().max(4096)).describe(
      `The token or key: ${IMPORTED_CHARS_MIN} to ${IMPORTED_CHARS_MAX} visible ASCII characters. Postern keeps a keyed hash`,
    ),
  }),
  output: profileKind.view.extend({
    credential_id: z.string().describe('Names the token in states and request records'),
    token_expires_at: z.string().nullable().describe('When the token expires; null never'),
  }),
  permission: 'profiles:rotate',
  refuses: ['not_found', 'revision_conflict', 'configuration_invalid', 'idempotency_conflict'],
  idempotent: true,
  columns: ['slug', 'client', 'credential_id', 'token_expires_at'],
  ...about(profileKind),
  handle: async ({ id, token }, context) => {
    const profile = await context.change.act('profiles', id)
    const imported = await importInto(profile, token, context)
    if (!imported.ok)
      throw refuse('configuration_invalid', {
        detail: `The token cannot be imported into "${profile.slug}": ${imported.reason}.`,
        errors: [{ pointer: '/token', reason: imported.reason }],
      })
    const stored = (await context.whole.byId('profiles', profile.id))!
    const { expiresAt } = imported
    return {
      ...(await viewOf(context.whole, profileKind, stored)),
      credential_id: imported.id,
      token_expires_at: expiresAt === null ? null : toTime(expiresAt),
    }
  },
})
