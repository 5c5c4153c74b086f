import { z } from 'zod'
import { permits, UNPLACED } from '../../access/roles.ts'
import { Ref, Slug } from '../../model/members.ts'
import { membershipsOf } from '../access/shared-with.ts'
import { about, define } from '../engine/define.ts'
import { userKind } from './kind.ts'
import { bindingsPart, connectionsPart, grantsPart, personalTokensPart, signInsPart } from './own-parts.ts'
import type { Part, Person } from './part.ts'
import { agentsPart, profilesPart, teamsPart, virtualMcpsPart } from './shared-parts.ts'

/**
 * All that a user holds. What a user can hold besides is added here: `users.reach` and `users.offboard` follow. Offboarding ends the
 * parts in this order.
 */
export const PARTS: readonly Part[] = [
  virtualMcpsPart,
  profilesPart,
  teamsPart,
  bindingsPart,
  agentsPart,
  grantsPart,
  personalTokensPart,
  connectionsPart,
  signInsPart,
]

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
