import { z } from 'zod'
import { NodeSchema, type NodeType } from '../node-type.ts'

export const validateNode: NodeType = {
  name: 'validate_node',
  phase: 'decide',
  summary: 'Validates a value against a JSON Schema',
  config: z.strictObject({ schema: NodeSchema.describe('JSON Schema') }),
  inputs: { value: 'any' },
  outputs: { errors: 'list of pointer, reason' },
  handles: ['valid', 'invalid'],
}
