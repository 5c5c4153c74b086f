import { z } from 'zod'
import { type NodeType, ONWARD, Text } from '../node-type.ts'

/** What `detectors` may name. `run.ts` says which kinds of the detectors each stands for. */
export const REDACT_DETECTORS = [
  'email',
  'card',
  'iban',
  'phone',
  'ip',
  'national_id',
  'secret',
  'injection',
] as const

export const redactNode: NodeType = {
  name: 'redact_node',
  phase: 'data',
  summary: 'Removes sensitive parts of a value',
  config: z
    .strictObject({
      detectors: z
        .array(z.enum(REDACT_DETECTORS))
        .default([])
        .describe('Check every text and number of the value'),
      paths: z
        .array(Text.regex(/^\//, 'a JSON pointer, such as /customer/name'))
        .max(200)
        .default([])
        .describe('JSON pointers to members that are sensitive as a whole; * is any member or item'),
      action: z
        .enum(['mask', 'remove', 'redact', 'replace', 'hash'])
        .default('mask')
        .describe('hash needs the input hash_key'),
      text: z.string().max(1024).optional().describe('For replace'),
      names: z.boolean().default(false).describe('Also check the names of members'),
    })
    .refine(({ action, text }) => (action === 'replace') === (text !== undefined), {
      error: 'belongs to the action replace, which needs it',
      path: ['text'],
    }),
  inputs: { value: 'any', 'hash_key?': 'string' },
  outputs: { value: 'any', hits: 'object' },
  handles: ONWARD,
}
