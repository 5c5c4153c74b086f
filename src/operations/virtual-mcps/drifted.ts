import { z } from 'zod'
import { define } from '../engine/define.ts'
import { fromCursor, page, pageOf, toCursor } from '../engine/lists.ts'
import { virtualMcpKind } from '../kinds/virtual-mcps.ts'
import { driftIn } from './drift.ts'

/** Virtual MCPs that one answer covers: the items of each are compared. */
const ALL = 10_000

const Drifted = z.object({
  id: z.string(),
  slug: z.string(),
  name: z.string(),
  undecided: z.int().describe('Items that differ from what is approved and were not rejected'),
  held: z.int().describe('Items that are hidden until they are approved, with rejected ones'),
  items: z.int().describe('Items of list_drift'),
})

export const listDrifted = define({
  resource: 'virtual_mcps',
  action: 'drifted',
  effect: 'read',
  tool: 'list_drifted_virtual_mcps',
  group: virtualMcpKind.group,
  summary: 'List virtual MCPs whose origins have added, changed or removed items since the approval',
  input: z.strictObject(page),
  output: pageOf(Drifted),
  permission: 'virtual_mcps:read',
  refuses: [],
  columns: ['slug', 'name', 'undecided', 'held', 'items'],
  subject: () => ({ type: virtualMcpKind.noun, id: null, slug: null }),
  handle: async ({ limit, cursor }, { reader, whole }) => {
    const all: z.output<typeof Drifted>[] = []
    for (const virtualMcp of await reader.list({ type: 'virtual_mcps', limit: ALL })) {
      const drift = await driftIn(whole, virtualMcp)
      if (drift.length === 0) continue
      const { id, slug, spec } = virtualMcp
      const undecided = drift.filter(({ rejected }) => !rejected).length
      const held = drift.filter((one) => one.held).length
      all.push({ id, slug, name: String(spec['name']), undecided, held, items: drift.length })
    }
    all.sort((a, b) => b.undecided - a.undecided || (a.slug < b.slug ? -1 : 1))
    const from = cursor === undefined ? 0 : Number(fromCursor(cursor, /^[0-9]{1,6}$/))
    const to = from + limit
    return { items: all.slice(from, to), next_cursor: all.length > to ? toCursor(String(to)) : null }
  },
})
