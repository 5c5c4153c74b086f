import { z } from 'zod'
import { annotatedSchema } from '../../model/annotations.ts'
import { NODE_TYPES } from '../../nodes/definitions.ts'
import { PHASES } from '../../nodes/node-type.ts'
import { define } from '../engine/define.ts'
import { booleanFilter } from '../engine/lists.ts'
import { workflowKind } from './kind.ts'

const Names = z.record(z.string(), z.string())

export const listNodes = define({
  resource: 'workflows',
  action: 'nodes',
  effect: 'read',
  tool: 'list_nodes',
  group: workflowKind.group,
  summary: 'List the node types for workflows',
  input: z.strictObject({
    phase: z.enum(PHASES).optional(),
    type: z.string().max(64).optional().describe('One type, such as proxy_node'),
    schemas: booleanFilter
      .optional()
      .describe('With the JSON Schema of config; of one type it is always there'),
  }),
  output: z.object({
    items: z.array(
      z.object({
        type: z.string(),
        phase: z.enum(PHASES),
        summary: z.string(),
        inputs: Names.describe(
          'Worked out for each run; a name that ends with ? may be left out; * takes any',
        ),
        outputs: Names,
        handles: z.array(z.string()).describe('Handles at which edges leave the node'),
        config: z.record(z.string(), z.json()).optional().describe('JSON Schema'),
      }),
    ),
  }),
  permission: 'workflows:read',
  refuses: [],
  columns: ['type', 'phase', 'summary', 'handles'],
  subject: () => ({ type: workflowKind.noun, id: null, slug: null }),
  handle: async ({ phase, type, schemas }) => ({
    items: NODE_TYPES.filter(
      (one) => (phase === undefined || one.phase === phase) && (type === undefined || one.name === type),
    ).map(({ name, phase, summary, inputs, outputs, handles, config }) => ({
      type: name,
      phase,
      summary,
      inputs,
      outputs,
      handles: [...handles],
      ...(schemas === true || type !== undefined ? { config: toSchema(config) } : {}),
    })),
  }),
})

/** A schema of ours as plain JSON. */
export function toSchema(schema: z.ZodType) {
  const json = annotatedSchema(schema, { io: 'input', unrepresentable: 'any' })
  return JSON.parse(JSON.stringify(json)) as Record<string, z.output<ReturnType<typeof z.json>>>
}
