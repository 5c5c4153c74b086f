import { z } from 'zod'
import type { NodeType } from '../node-type.ts'

export const validateNode: NodeType = {
  name: 'validate_node',
  phase: 'decide',
  summary: 'Validates a value against a JSON Schema',
  config: z.strictObject({ schema: z.union([z.boolean(), z.record(z.string(), z.json())]) }),
  inputs: { value: 'any' },
  outputs: { errors: 'list of pointer, reason' },
  handles: ['valid', 'invalid'],
}
