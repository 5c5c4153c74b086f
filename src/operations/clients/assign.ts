import { z } from 'zod'
import { refuse } from '../../base/refusal.ts'
import { refersTo } from '../../model/annotations.ts'
import { Ref } from '../../model/members.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { about, CHANGE_REFUSES, define } from '../engine/define.ts'
import { getRef } from '../engine/refs.ts'
import { viewOf } from '../engine/views.ts'
import { patchResource } from '../engine/write-resource.ts'
import { clientKind } from './kind.ts'

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
  summary:
    'Set the collections and virtual MCPs of a client: the whole list, or what to add to it and remove from it',
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
    detail: 'Name a collection or a virtual MCP.',
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
