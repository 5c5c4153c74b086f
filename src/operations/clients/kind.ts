import { z } from 'zod'
import { ClientSpec, ProfileSpec } from '../../model/access/profile.ts'
import { NOUNS } from '../../model/resource-types.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { type Kind, writtenSchema } from '../engine/kind.ts'
import { viewSchema } from '../engine/kind-schema.ts'
import { booleanFilter } from '../engine/lists.ts'
import { createOf, standardOf, toggleOf } from '../engine/standard.ts'
import { refuseUsed } from '../engine/standard-delete.ts'
import { createResource, writtenView } from '../engine/write-resource.ts'
import { warnOfInactivePolicy } from '../policies/kind.ts'
import { issue, shownToken } from '../profiles/issue.ts'
import { profileKind } from '../profiles/kind.ts'

export const clientKind: Kind<'clients'> = {
  type: 'clients',
  noun: NOUNS.clients,
  prefix: 'cli',
  group: 'manage_clients',
  about: 'A client is an app, a partner or an agent that calls APIs. Its profiles say how it authenticates.',
  tools: 'Clients: apps, partners and agents that call APIs, their collections, and access requests.',
  example: { name: 'Acme', collections: ['orders'], policy: 'gold' },
  spec: ClientSpec,
  view: viewSchema(ClientSpec),
  columns: ['slug', 'name', 'kind', 'active', 'collections', 'policy', 'updated_at'],
  sections: {
    info: ['name', 'slug', 'description', 'tags', 'kind', 'contact_email'],
    access: ['collections', 'virtual_mcps'],
    limits: ['policy', 'active', 'valid_until'],
  },
  refs: [
    { field: 'collections', type: 'collections', many: true },
    { field: 'virtual_mcps', type: 'virtual_mcps', many: true, isLate: true },
    { field: 'policy', type: 'policies' },
  ],
  staged: false,
  filters: {
    kind: ClientSpec.shape.kind.unwrap(),
    active: booleanFilter,
    collections: z.string().max(130).describe('Id or slug of a collection'),
    policy: z.string().max(130).describe('Id or slug of the policy'),
  },
  warn: warnOfInactivePolicy,
}

const InnerProfile = ProfileSpec.omit({ client: true })
const DEFAULT = { name: 'Default', slug: 'default', auth: { type: 'token' } }

/** A new client has at least a profile to call with; tokens are in this answer alone. */
const create = createOf(clientKind, {
  input: {
    profiles: z
      .array(InnerProfile)
      .max(20)
      .optional()
      .describe('First profiles of the client. Default: one profile named default, of type token'),
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

/** Rules of virtual MCPs and checks of workflows that name a client, or a profile that goes with it, are not changed silently. */
async function detach(client: Resource, context: OperationContext): Promise<void> {
  const profiles = await context.whole.all('profiles', client.id)
  for (const one of [client, ...profiles])
    await refuseUsed(one, context, ['virtual_mcps', 'workflows', 'proxies'])
}

export const clientOperations = {
  ...standardOf(clientKind, detach),
  create,
  toggle: toggleOf(clientKind),
}
