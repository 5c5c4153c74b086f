import { z } from 'zod'
import { refuse } from '../../base/refusal.ts'
import { ClientSpec, ProfileSpec } from '../../model/access/profile.ts'
import { refersTo } from '../../model/annotations.ts'
import { Ref } from '../../model/members.ts'
import { NOUNS } from '../../model/resource-types.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { about, CHANGE_REFUSES, define } from '../engine/define.ts'
import { type Kind, writtenSchema } from '../engine/kind.ts'
import { viewSchema } from '../engine/kind-schema.ts'
import { booleanFilter } from '../engine/lists.ts'
import { getRef } from '../engine/refs.ts'
import { createOf, standardOf, toggleOf } from '../engine/standard.ts'
import { refuseUsed } from '../engine/standard-delete.ts'
import { viewOf } from '../engine/views.ts'
import { createResource, patchResource, writtenView } from '../engine/write-resource.ts'
import { warnOfInactivePolicy } from '../policies/kind.ts'
import { profileKind } from '../profiles/kind.ts'
import { issue, shownToken } from '../profiles/tokens.ts'

export const clientKind: Kind<'clients'> = {
  type: 'clients',
  noun: NOUNS.clients,
  prefix: 'cli',
  group: 'manage_clients',
  about:
    'A client is an app, a partner or an agent that calls APIs. Its profiles define how it authenticates.',
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

const refsTo = (type: Assigned) => z.array(Ref.meta(refersTo(type))).max(1000)
const Collections = refsTo('collections')
const VirtualMcps = refsTo('virtual_mcps')

/** What becomes of one list of assignments: `replace` first, then what is added, then what is taken away. */
interface Assigning {
  readonly replace?: readonly string[] | undefined
  readonly add?: readonly string[] | undefined
  readonly remove?: readonly string[] | undefined
}

/** Members of a client that are such lists, which are also the types of what stands in them. */
type Assigned = 'collections' | 'virtual_mcps'

const common = {
  resource: 'clients',
  effect: 'update',
  output: clientKind.view,
  permission: 'clients:update',
  refuses: CHANGE_REFUSES,
  columns: ['slug', 'name', 'collections', 'virtual_mcps', 'revision'],
  ...about(clientKind),
} as const

export const setAssignments = define({
  ...common,
  action: 'assignments',
  tool: 'set_assignments',
  group: clientKind.group,
  summary: 'Set the collections and virtual MCPs of a client: the whole list, or items to add and remove',
  input: z.strictObject({
    id: Ref,
    replace: Collections.optional().describe('Complete list of collections that the client may call'),
    add: Collections.optional().describe('Collections'),
    remove: Collections.optional().describe('Collections'),
    replace_virtual_mcps: VirtualMcps.optional().describe(
      'Complete list of virtual MCPs that the client may call',
    ),
    add_virtual_mcps: VirtualMcps.optional(),
    remove_virtual_mcps: VirtualMcps.optional(),
  }),
  handle: async ({ id, replace, add, remove, ...of }, context) =>
    assign(
      id,
      {
        collections: { replace, add, remove },
        virtual_mcps: {
          replace: of.replace_virtual_mcps,
          add: of.add_virtual_mcps,
          remove: of.remove_virtual_mcps,
        },
      },
      context,
    ),
})

const one = {
  ...common,
  // People look for assignments where the collections are.
  group: 'manage_collections',
  input: z.strictObject({
    id: Ref.describe('The client'),
    collections: Collections.default([]),
    virtual_mcps: VirtualMcps.default([]),
  }),
}

export const assignCollections = define({
  ...one,
  action: 'assign',
  tool: 'assign_collections',
  summary: 'Add collections or virtual MCPs to a client',
  handle: async ({ id, collections, virtual_mcps }, context) => {
    refuseNone(collections, virtual_mcps)
    return assign(id, { collections: { add: collections }, virtual_mcps: { add: virtual_mcps } }, context)
  },
})

export const unassignCollections = define({
  ...one,
  action: 'unassign',
  tool: 'unassign_collections',
  summary: 'Remove collections or virtual MCPs from a client',
  handle: async ({ id, collections, virtual_mcps }, context) => {
    refuseNone(collections, virtual_mcps)
    return assign(
      id,
      { collections: { remove: collections }, virtual_mcps: { remove: virtual_mcps } },
      context,
    )
  },
})

/** A client that a rollback has put back may be of a version without virtual MCPs. */
function assignedTo({ spec }: Resource, type: Assigned): readonly string[] {
  return (spec[type] ?? []) as readonly string[]
}

function refuseNone(...lists: readonly (readonly string[])[]): void {
  if (lists.some((list) => list.length > 0)) return
  throw refuse('input_invalid', {
    detail: 'Give collections or virtual_mcps.',
    errors: [{ pointer: '/collections', reason: 'name one here, or in virtual_mcps' }],
  })
}

/** Changes the assignments of a client. Refuses like any change of it, and where it cannot name what is assigned. */
export async function assign(
  ref: string,
  lists: Readonly<Partial<Record<Assigned, Assigning>>>,
  context: OperationContext,
) {
  const client = await context.change.act('clients', ref)
  const patch: Partial<Record<Assigned, readonly string[]>> = {}
  for (const type of ['collections', 'virtual_mcps'] as const) {
    const { replace, add = [], remove = [] } = lists[type] ?? {}
    const idsOf = (refs: readonly string[]): Promise<string[]> =>
      Promise.all(refs.map(async (one) => (await getRef(context.reader, type, one)).id))
    const kept = replace === undefined ? assignedTo(client, type) : await idsOf(replace)
    const gone = await idsOf(remove)
    patch[type] = [...new Set([...kept, ...(await idsOf(add))])].filter((id) => !gone.includes(id))
  }
  return viewOf(context.reader, clientKind, await patchResource(context, clientKind, client, patch))
}
