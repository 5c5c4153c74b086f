import { z } from 'zod'
import { permits, UNPLACED } from '../../access/roles.ts'
import { Ref, Slug } from '../../model/members.ts'
import { membershipsOf } from '../access/shared-with.ts'
import { about, define } from '../engine/define.ts'
import { userKind } from '../kinds/users.ts'
import type { Person } from './part.ts'
import { PARTS } from './parts.ts'

export const reachOfUser = define({
  resource: userKind.type,
  action: 'reach',
  effect: 'read',
  tool: 'get_user_reach',
  group: userKind.group,
  summary: 'Show all that a user can reach and may do, and why',
  input: z.strictObject({ id: Ref }),
  output: z.object({
    id: z.string(),
    slug: Slug,
    active: z.boolean().describe('false: nothing of it works until the user is switched on'),
    ...Object.fromEntries(
      PARTS.map(({ name, item, permission }) => [
        name,
        z.array(item).nullable().describe(`null: you lack ${permission} over everything`),
      ]),
    ),
  }),
  permission: 'users:read',
  // What it names may lie beyond any scope
  unscoped: true,
  refuses: ['not_found'],
  columns: ['slug', 'active'],
  tables: Object.fromEntries(PARTS.map(({ name, columns }) => [name, columns])),
  ...about(userKind),
  handle: async ({ id }, context) => {
    const user = await context.find('users', id)
    const person: Person = { user, own: await membershipsOf(context.whole, user) }
    const parts: [string, readonly object[] | null][] = []
    for (const { name, permission, show } of PARTS) {
      const isShown = permits(context.principal, permission, UNPLACED)
      parts.push([name, isShown ? await show(person, context) : null])
    }
    const { slug, spec } = user
    return { id: user.id, slug, active: spec['active'] === true, ...Object.fromEntries(parts) }
  },
})
