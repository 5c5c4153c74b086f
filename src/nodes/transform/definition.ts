import { z } from 'zod'
import { valueReader } from '../../model/workflow/expression.ts'
import { readTemplate } from '../../model/workflow/template.ts'
import { type NodeType, ONWARD, Text } from '../node-type.ts'
import { FORMATS } from './run.ts'

const read = valueReader({ item: 'dyn' })

/** Read when the definition is saved: the plan has the template in the place of the text. */
const ItemTemplate = z
  .json()
  .describe('Value of each item, with expressions over item: {"id": "{{ item.order_id }}"}')
  .transform((value, context) => {
    const { template, faults } = readTemplate(value, read)
    for (const { pointer, reason } of faults)
      context.addIssue({ code: 'custom', message: pointer === '' ? reason : `${pointer} ${reason}` })
    return template
  })

const Separator = z.enum([',', ';', '\t', '|'])

export const transformNode: NodeType = {
  name: 'transform_node',
  phase: 'data',
  summary: 'Renames, picks or maps members, or converts between JSON, XML, CSV and forms',
  config: z.discriminatedUnion('op', [
    z.strictObject({
      op: z.literal('rename'),
      names: z.record(Text, Text).describe('New names by old names'),
    }),
    z.strictObject({ op: z.literal('pick'), names: z.array(Text).max(200) }),
    z.strictObject({ op: z.literal('map'), item: ItemTemplate }),
    z.strictObject({
      op: z.literal('convert'),
      from: z.enum(FORMATS),
      to: z.enum(FORMATS),
      header: z.boolean().default(true).describe('CSV: the first line has the names of members'),
      separator: Separator.default(','),
    }),
  ]),
  inputs: { value: 'any' },
  outputs: { value: 'any', content_type: 'string, after convert' },
  handles: ONWARD,
}
