import { z } from 'zod'
import { writeGrant } from '../../access/grant-text.ts'
import { toGrant } from '../../access/identities.ts'
import type { GrantSpec } from '../../model/access/access.ts'
import { Time } from '../../model/members.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { Reason } from '../access/shared-with.ts'
import type { OperationContext } from '../engine/context.ts'
import { Because, definePart, toBecause } from './part.ts'

/** What the user may administer, as `access/identities` counts it. */
export const grantsPart = definePart({
  name: 'grants',
  permission: 'grants:read',
  item: z.object({
    grant: z.string().describe('Compact form, such as modifier:proxies@payments'),
    name: z.string().nullable().describe('Slug of the grant; null for a mapped claim'),
    expires_at: Time.nullable(),
    because: Because,
  }),
  columns: ['grant', 'name', 'expires_at', 'because.text'],
  show: async (person, context) => {
    const { groups, mapped_grants } = person.user.spec
    const { whole } = context
    const found = await Promise.all([
      shown(await whole.all('grants', person.user.id), { by: 'user', name: null, path: [] }, context),
      ...[...person.own.values()].map(async ({ team, path }) =>
        shown(await whole.all('grants', team.id), { by: 'team', name: team.slug, path }, context),
      ),
      ...groups.map(async (group) =>
        shown(await whole.byKey('grants', group, null), { by: 'group', name: group, path: [] }, context),
      ),
    ])
    const claim: Reason = { by: 'claim', name: null, path: [] }
    return [
      ...found.flat(),
      ...mapped_grants.map((grant) => ({ grant, name: null, expires_at: null, because: toBecause([claim]) })),
    ]
  },
  end: async ({ id }, { whole, change }) => {
    const grants = await whole.all('grants', id)
    for (const grant of grants) await change.remove(grant)
    return grants.map(({ slug }) => slug)
  },
})

/** Grants that count now. */
async function shown(grants: readonly Resource[], reason: Reason, { whole, clock }: OperationContext) {
  const found = []
  for (const { slug, spec } of grants) {
    // Stored by the schema of this type
    const { role, scope, expires_at } = spec as GrantSpec
    if (expires_at !== null && Date.parse(expires_at) <= clock.now()) continue
    const { scope: judged } = await toGrant(whole, role, scope)
    const slugs = await whole.slugs([role, ...judged.collections])
    found.push({
      grant: writeGrant(role, judged, slugs),
      name: slug,
      expires_at,
      because: toBecause([reason]),
    })
  }
  return found
}
