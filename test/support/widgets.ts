import { z } from 'zod'
import { define, type Operation } from '../../src/operations/engine/define.ts'

const Widget = z.object({
  id: z.string(),
  slug: z.string(),
  status: z.enum(['draft', 'published']),
  revision: z.int(),
  at: z.iso.datetime(),
  meta: z.json().optional(),
})

function operation(
  action: string,
  effect: Operation['effect'],
  tool: string,
  input: z.ZodObject,
  more: Partial<Operation> = {},
): Operation {
  return define({
    resource: 'widgets',
    action,
    effect,
    tool,
    group: 'manage_widgets',
    summary: `The summary of ${tool}`,
    input,
    output: Widget,
    permission: effect === 'read' ? 'widgets:read' : 'widgets:write',
    refuses: [],
    columns: [],
    subject: () => ({ type: 'widget', id: null, slug: null }),
    handle: () => Promise.reject(new Error('invoke is replaced in this test')),
    ...more,
  })
}

const Id = z.strictObject({ id: z.string().describe('Id or slug') })
const Changes = { name: z.string().max(120).describe('Name that people read'), data: z.json().optional() }
/** Operations on widgets, parts and bolts: a registry that shows each form of a tool. */
export const WIDGET_OPERATIONS: readonly Operation[] = [
  operation('list', 'read', 'list_widgets', z.strictObject({ limit: z.int().optional() }), {
    output: z.object({ items: z.array(Widget), next_cursor: z.string().nullable() }),
  }),
  operation('get', 'read', 'get_widget', Id),
  operation(
    'create',
    'create',
    'create_widget',
    z.strictObject({ ...Changes, kind: z.enum(['a', 'b']).default('a') }),
  ),
  operation('update', 'update', 'update_widget', Id.extend(Changes).partial({ name: true })),
  operation('delete', 'delete', 'delete_widget', Id),
  operation('wipe', 'act', 'wipe_widget', Id, { destroys: () => true }),
  operation('rotate', 'act', 'rotate_widget', Id, {
    output: z.object({ id: z.string(), token: z.string() }),
    revealsOnce: true,
  }),
  operation('put', 'update', 'put_widget', Id, { tool: null }),
  operation('list', 'read', 'list_parts', z.strictObject({}), { resource: 'parts', group: 'manage_parts' }),
  operation(
    'list',
    'read',
    'list_bolts',
    z.strictObject({ action: z.enum(['CREATE', 'DELETE']).optional() }),
    { resource: 'bolts', group: 'manage_parts' },
  ),
]
