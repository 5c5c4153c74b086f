import { z } from 'zod'
import { type NodeType, ONWARD, Text } from '../node-type.ts'

export const redactNode: NodeType = {
  name: 'redact_node',
  phase: 'data',
  summary: 'Removes sensitive parts of a value',
  config: z.strictObject({
    detectors: z.array(z.enum(['email', 'card', 'iban', 'phone', 'secret'])).default([]),
    paths: z.array(Text).max(200).default([]).describe('JSON pointers'),
    action: z.enum(['mask', 'remove', 'hash']).default('mask'),
  }),
  inputs: { value: 'any' },
  outputs: { value: 'any', hits: 'number' },
  handles: ONWARD,
}
