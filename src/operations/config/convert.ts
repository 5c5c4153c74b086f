import { z } from 'zod'
import { refuse } from '../../base/refusal.ts'
import { marked } from '../../model/marks.ts'
import { DOCUMENT_BYTES_MAX, readPlain } from '../collections/openapi/read.ts'
import { define } from '../define.ts'
import { fromKong, isKong } from './kong.ts'
import { Exported } from './shapes.ts'
import { withoutVariables } from './variables.ts'

/** What another gateway was told, as documents: they are planned and applied like any others. */
export const convertConfig = define({
  resource: 'config',
  action: 'convert',
  effect: 'read',
  tool: 'convert_config',
  group: 'manage_config',
  summary:
    'Make documents of a declarative configuration of Kong (decK); changes nothing: plan and apply what comes out',
  input: z.strictObject({
    document: marked('document', z.union([z.string().max(DOCUMENT_BYTES_MAX), z.looseObject({})])).describe(
      'The configuration: YAML or JSON as text, or the object itself',
    ),
  }),
  output: z.object({
    documents: Exported.shape.documents,
    notes: z.array(z.string()).describe('What is not taken over'),
  }),
  permission: 'config:read',
  refuses: ['document_invalid'],
  posted: true,
  itemwise: true,
  large: true,
  columns: ['kind', 'slug'],
  subject: () => ({ type: 'config', id: null, slug: null }),
  handle: async ({ document }) => {
    const read = await readPlain(document)
    if (!isKong(read))
      throw refuse('document_invalid', {
        detail: 'It is no declarative configuration of Kong: _format_version is missing.',
        errors: [{ pointer: '/_format_version', reason: 'missing; such as "3.0"' }],
      })
    const { documents, notes } = fromKong(read)
    return {
      // What looks like a variable there is none here
      documents: documents.map(({ kind, slug, spec }) => ({
        kind,
        slug,
        spec: withoutVariables(spec) as typeof spec,
      })),
      notes: [...notes],
    }
  },
})
