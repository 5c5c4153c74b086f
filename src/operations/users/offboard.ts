import { z } from 'zod'
import { Ref, Slug } from '../../model/members.ts'
import { about, define } from '../engine/define.ts'
import { userKind } from '../kinds/users.ts'
import { PARTS } from './parts.ts'

/** Names in the sentence of the audit entry; the diff has all. */
const NAMED_MAX = 50

export const offboardUser = define({
  resource: userKind.type,
  action: 'offboard',
  effect: 'act',
  tool: 'offboard_user',
  group: userKind.group,
  summary:
    'Switch a user off and end all that they hold: sign-ins, tokens, memberships and grants; needs confirm with their slug',
  input: z.strictObject({ id: Ref }),
  output: z.object({
    id: z.string(),
    slug: Slug,
    active: z.literal(false),
    ended: z
      .array(
        z.object({
          part: z.enum(PARTS.filter(({ end }) => end !== null).map(({ name }) => name)),
          name: z.string().describe('Slug, name or number of what has ended'),
        }),
      )
      .describe('What the user held until now'),
  }),
  permission: 'users:update',
  refuses: [
    'not_found',
    'confirmation_required',
    'revision_conflict',
    'configuration_invalid',
    'idempotency_conflict',
  ],
  idempotent: true,
  destroys: () => true,
  columns: ['slug', 'active'],
  tables: { ended: ['part', 'name'] },
  ...about(userKind),
  handle: async ({ id }, context) => {
    const { change } = context
    const user = await change.act('users', id)
    change.confirmed(user)
    // Groups and claims are told anew with the next sign-in, which needs an active user
    const spec = { ...user.spec, active: false, groups: [], mapped_grants: [] }
    await change.replace(user, { spec })
    const ended: { part: string; name: string }[] = []
    for (const { name: part, end } of PARTS) {
      const stored = (await context.whole.byId('users', user.id))!
      for (const name of (await end?.(stored, context)) ?? []) ended.push({ part, name })
    }
    change.finding = sentence(ended)
    return { id: user.id, slug: user.slug, active: false as const, ended }
  },
})

function sentence(ended: readonly { readonly part: string; readonly name: string }[]): string {
  if (ended.length === 0) return 'Offboarded; nothing else was left to end.'
  const named = ended.slice(0, NAMED_MAX).map(({ part, name }) => `${part}/${name}`)
  const more = ended.length > NAMED_MAX ? ` and ${ended.length - NAMED_MAX} more` : ''
  return `Offboarded. Ended ${named.join(', ')}${more}.`
}
