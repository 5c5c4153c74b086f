import { z } from 'zod'
import type { Plain } from '../../base/plain.ts'
import { refuse } from '../../base/refusal.ts'
import { marked } from '../../model/marks.ts'
import { DOCUMENT_BYTES_MAX, readPlain } from '../collections/openapi/read.ts'
import { define } from '../engine/define.ts'
import type { Converted } from './converted.ts'
import { fromKong, isKong } from './kong.ts'
import { fromMcpServers, mcpServersIn } from './mcp-servers.ts'
import { Exported } from './shapes.ts'
import { withoutVariables } from './variables.ts'

/** What another gateway or an MCP client was told, as documents: they are planned and applied like any others. */
export const convertConfig = define({
  resource: 'config',
  action: 'convert',
  effect: 'read',
  tool: 'convert_config',
  group: 'manage_config',
  summary:
    'Make documents of a declarative configuration of Kong (decK), or of the servers of an MCP client (mcpServers); changes nothing: plan and apply what comes out',
  input: z.strictObject({
    document: marked('document', z.union([z.string().max(DOCUMENT_BYTES_MAX), z.looseObject({})])).describe(
      'The configuration: YAML or JSON as text, or the object itself',
    ),
  }),
  output: z.object({
    documents: Exported.shape.documents,
    notes: z.array(z.string()).describe('What is left out, closed or different, a sentence each'),
    exact: z.boolean().describe('False where something is left out, closed or different'),
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
    const { documents, notes, exact } = converted(read)
    return {
      // What looks like a variable there is none here
      documents: documents.map(({ kind, slug, spec }) => ({
        kind,
        slug,
        spec: withoutVariables(spec) as typeof spec,
      })),
      notes: [...notes],
      exact,
    }
  },
})

function converted(document: Plain): Converted {
  if (isKong(document)) return fromKong(document)
  const servers = mcpServersIn(document)
  if (servers !== null) return fromMcpServers(servers)
  throw refuse('document_invalid', {
    detail:
      'It is neither a declarative configuration of Kong (_format_version is missing) nor one of an MCP client (mcpServers is missing).',
    errors: [{ pointer: '', reason: 'has neither _format_version nor mcpServers' }],
  })
}
