import { z } from 'zod'
import { type NodeType, ONWARD } from '../node-type.ts'

export const manualTrigger: NodeType = {
  name: 'manual_trigger',
  phase: 'trigger',
  summary: 'A run by hand: test_workflow and saved tests start it, and no request of a caller',
  config: z.strictObject({
    sample: z.json().default(null).describe('Value of trigger in runs whose request has no body'),
  }),
  inputs: {},
  outputs: {
    triggered_at: 'string: RFC 3339 time',
    trigger: 'any: the body of the request that the run is given, or else sample',
  },
  handles: ONWARD,
}
