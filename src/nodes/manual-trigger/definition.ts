import { z } from 'zod'
import { type NodeType, ONWARD } from '../node-type.ts'

export const manualTrigger: NodeType = {
  name: 'manual_trigger',
  phase: 'trigger',
  summary: 'Started by hand, with a sample',
  config: z.strictObject({ sample: z.json().optional() }),
  inputs: {},
  outputs: { triggered_at: 'time', trigger: 'the sample' },
  handles: ONWARD,
}
