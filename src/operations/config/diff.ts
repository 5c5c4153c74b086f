import { z } from 'zod'
import { define } from '../engine/define.ts'
import { compareDocuments } from './compare-documents.ts'
import { shown } from './planned.ts'
import { Documents, manner, Shown } from './schemas.ts'
import { toSteps } from './steps.ts'
import { take } from './take.ts'

export const diffConfig = define({
  resource: 'config',
  action: 'diff',
  effect: 'read',
  tool: 'diff_config',
  group: 'manage_config',
  summary: 'Compare documents with the configuration or with other documents; stores no plan',
  input: z.strictObject({
    documents: Documents,
    against: Documents.optional().describe('Other documents to compare with, instead of the configuration'),
    ...manner,
  }),
  output: Shown,
  permission: 'config:read',
  refuses: ['document_invalid', 'managed_elsewhere'],
  itemwise: true,
  large: true,
  posted: true,
  columns: ['action', 'item', 'side'],
  subject: ({ managed_by }) => ({ type: 'config', id: null, slug: managed_by ?? null }),
  handle: async ({ against, ...input }, context) => {
    if (against !== undefined)
      return context.apart(compareDocuments, {
        documents: input.documents,
        against,
        variables: input.variables,
      })
    const { desired, manner, warnings } = await take(input, context)
    return shown({ ...(await toSteps(desired, manner, context)), warnings })
  },
})
