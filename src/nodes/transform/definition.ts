import { z } from 'zod'
import { type NodeType, ONWARD, Text } from '../node-type.ts'

const FORMATS = ['json', 'xml', 'csv', 'form'] as const

export const transformNode: NodeType = {
  name: 'transform_node',
  phase: 'data',
  summary: 'Transforms a value',
  config: z.discriminatedUnion('op', [
    z.strictObject({ op: z.literal('map'), expression: Text.describe('Of item') }),
    z.strictObject({ op: z.literal('rename'), names: z.record(Text, Text) }),
    z.strictObject({ op: z.literal('pick'), names: z.array(Text).min(1).max(200) }),
    z.strictObject({ op: z.literal('convert'), from: z.enum(FORMATS), to: z.enum(FORMATS) }),
  ]),
  inputs: { value: 'any' },
  outputs: { value: 'any' },
  handles: ONWARD,
}
