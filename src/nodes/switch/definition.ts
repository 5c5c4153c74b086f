import { z } from 'zod'
import { isPlain, scalarText } from '../../base/json/storable.ts'
import type { NodeType } from '../node-type.ts'

export const switchNode: NodeType = {
  name: 'switch_node',
  phase: 'decide',
  summary: 'Continues at one of several handles',
  config: z.strictObject({
    cases: z
      .array(z.strictObject({ label: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/), match: z.json() }))
      .min(1)
      .max(50)
      .describe('Continues at the first equal value, otherwise at the handle default'),
  }),
  inputs: { value: 'any' },
  outputs: { matched_output: 'string' },
  handles: ['default', 'a label'],
  handlesBy: ({ cases }) => [
    'default',
    ...(Array.isArray(cases) ? cases.flatMap((one) => (isPlain(one) && scalarText(one['label'])) || []) : []),
  ],
}
