import { z } from 'zod'
import { ProfileSpec } from '../../model/profile.ts'
import type { Fields } from '../../store/ports/config.ts'
import { createOf } from '../crud.ts'
import { writtenSchema } from '../kind.ts'
import { issue, shownToken } from '../profiles/issue.ts'
import { profileKind } from '../profiles/kind.ts'
import { writtenView } from '../views.ts'
import { createResource } from '../write-resource.ts'
import { clientKind } from './kind.ts'

const InnerProfile = ProfileSpec.omit({ client: true })
const DEFAULT = { name: 'Default', slug: 'default', auth: { type: 'token' } }

/** A new client has at least a profile to call with; tokens are in this answer alone. */
export const createClient = createOf(clientKind, {
  input: {
    profiles: z
      .array(InnerProfile)
      .max(20)
      .optional()
      .describe('Its first profiles; one named default, of type token, when absent'),
  },
  output: { profiles: z.array(writtenSchema(profileKind).extend(shownToken)) },
  revealsOnce: true,
  parts: { profiles: ['slug', 'auth.type', 'token', 'token_expires_at', 'signing_secret', 'kid'] },
  made: async (client, input, context) => {
    context.require('profiles:create')
    const wanted = (input['profiles'] as readonly Fields[] | undefined) ?? [InnerProfile.parse(DEFAULT)]
    const profiles: Fields[] = []
    for (const spec of wanted) {
      const profile = await createResource(context, profileKind, { ...spec, client: client.id }, false)
      const token = await issue(profile, context)
      const stored = (await context.whole.byId('profiles', profile.id))!
      profiles.push({ ...(await writtenView(context, profileKind, stored)), ...token })
    }
    return { profiles }
  },
})
