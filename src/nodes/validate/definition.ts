import { z } from 'zod'
import type { JsonSchema } from '../../model/proxy.ts'
import { createSchemaJudges } from '../../snapshot/schema/judge.ts'
import type { NodeType } from '../node-type.ts'

const Schema = z
  .union([z.boolean(), z.record(z.string(), z.json())])
  .superRefine((schema, context) => {
    try {
      createSchemaJudges({}, false).of(schema as JsonSchema, 'request')
    } catch (error) {
      context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : 'no JSON Schema' })
    }
  })
  .describe('JSON Schema')

export const validateNode: NodeType = {
  name: 'validate_node',
  phase: 'decide',
  summary: 'Validates a value against a JSON Schema',
  config: z.strictObject({ schema: Schema }),
  inputs: { value: 'any' },
  outputs: { errors: 'list of pointer, reason' },
  handles: ['valid', 'invalid'],
}
