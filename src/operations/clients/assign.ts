import { z } from 'zod'
import { Ref } from '../../model/slug.ts'
import type { OperationContext } from '../engine/context.ts'
import { about, CHANGE_REFUSES, define } from '../engine/define.ts'
import { getRef } from '../engine/refs.ts'
import { viewOf } from '../engine/views.ts'
import { patchResource } from '../engine/write-resource.ts'
import { clientKind } from '../kinds/clients.ts'

const Collections = z.array(Ref).max(1000)

/** What becomes of the assignments of a client: `replace` first, then what is added, then what is taken away. */
interface Assigning {
  readonly replace?: readonly string[] | undefined
  readonly add?: readonly string[] | undefined
  readonly remove?: readonly string[] | undefined
}

const common = {
  resource: 'clients',
  effect: 'update',
  output: clientKind.view,
  permission: 'clients:update',
  refuses: CHANGE_REFUSES,
  columns: ['slug', 'name', 'collections', 'revision'],
  ...about(clientKind),
} as const

export const setAssignments = define({
  ...common,
  action: 'assignments',
  tool: 'set_assignments',
  group: clientKind.group,
  summary: 'Set the collections of a client: the whole list, or collections to add and remove',
  input: z.strictObject({
    id: Ref,
    replace: Collections.optional().describe('Complete list of collections that the client may call'),
    add: Collections.optional(),
    remove: Collections.optional(),
  }),
  handle: async ({ id, ...assigning }, context) => assign(id, assigning, context),
})

const one = {
  ...common,
  // People look for assignments where the collections are.
  group: 'manage_collections',
  input: z.strictObject({
    id: Ref.describe('The client'),
    collections: Collections.min(1),
  }),
}

export const assignCollections = define({
  ...one,
  action: 'assign',
  tool: 'assign_collections',
  summary: 'Add collections to a client',
  handle: async ({ id, collections }, context) => assign(id, { add: collections }, context),
})

export const unassignCollections = define({
  ...one,
  action: 'unassign',
  tool: 'unassign_collections',
  summary: 'Remove collections from a client',
  handle: async ({ id, collections }, context) => assign(id, { remove: collections }, context),
})

/** Changes the assignments of a client. Refuses like any change of it, and where it cannot name a collection. */
export async function assign(
  ref: string,
  { replace, add = [], remove = [] }: Assigning,
  context: OperationContext,
) {
  const client = await context.change.act('clients', ref)
  const idsOf = (refs: readonly string[]): Promise<string[]> =>
    Promise.all(refs.map(async (one) => (await getRef(context.reader, 'collections', one)).id))
  const kept =
    replace === undefined ? (client.spec['collections'] as readonly string[]) : await idsOf(replace)
  const gone = await idsOf(remove)
  const collections = [...new Set([...kept, ...(await idsOf(add))])].filter((id) => !gone.includes(id))
  return viewOf(context.reader, clientKind, await patchResource(context, clientKind, client, { collections }))
}
