import { z } from 'zod'
import { type NodeType, ONWARD } from '../node-type.ts'

export const codeNode: NodeType = {
  name: 'code_node',
  phase: 'data',
  summary: 'A function (input) => output without network or modules',
  config: z.strictObject({
    language: z.enum(['javascript', 'typescript']).default('javascript'),
    code: z.string().min(1).max(65_536),
  }),
  inputs: { '*': 'any' },
  outputs: { value: 'what it returns' },
  handles: ONWARD,
}
