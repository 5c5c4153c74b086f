import { z } from 'zod'
import {
  CREDENTIAL_STATES,
  type ProfileCredentialState,
  type ProfileSpec,
} from '../../model/access/profile.ts'
import { isSigningSecret } from '../../store/ports/config.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { issuesOf } from './issue.ts'
import { keyStates, toState } from './tokens.ts'

/** What get and list show of the credentials of a profile. */
export const currentProfileShape = {
  credential_state: z
    .enum([...CREDENTIAL_STATES, 'none'])
    .optional()
    .describe('Of the best of its credentials; none where nothing is held here. Shown by get and list'),
  credential_expires_at: z
    .string()
    .nullable()
    .optional()
    .describe('When that one expires; null never, or not known here. Shown by get and list'),
}

/** The best first. */
const ORDER = CREDENTIAL_STATES

/** How the credentials of profiles are now, by id of the profile. */
export async function currentProfiles(
  profiles: readonly Resource<'profiles'>[],
  { reader, clock }: OperationContext,
) {
  const now = clock.now()
  const tokens = Map.groupBy(await reader.tokensOf(profiles.map(({ id }) => id)), ({ profile }) => profile)
  return new Map(
    profiles.map((profile) => {
      const issued = issuesOf(profile)
      const ownTokens = (tokens.get(profile.id) ?? []).filter(
        (token) => issued !== null && isSigningSecret(token) === (issued === 'secret'),
      )
      // Stored by the schema of this type
      const keys = keyStates(profile.spec['auth'] as ProfileSpec['auth'], now)
      const best = bestOf([...ownTokens.map((token) => toState(token, now)), ...keys])
      const shown = {
        credential_state: best?.state ?? ('none' as const),
        credential_expires_at: best?.expires_at ?? null,
      }
      return [profile.id, shown] as const
    }),
  )
}

/** Of two in one state, the one that lasts longer. */
function bestOf(states: readonly ProfileCredentialState[]): ProfileCredentialState | undefined {
  const lasts = ({ expires_at }: ProfileCredentialState): number =>
    expires_at === null ? Number.POSITIVE_INFINITY : Date.parse(expires_at)
  return states.toSorted(
    (a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || (lasts(b) > lasts(a) ? 1 : -1),
  )[0]
}
