import { z } from 'zod'
import type { Plain } from '../../base/json/storable.ts'
import { createEgress, destinationOf, type EgressSettings } from '../../base/net/egress.ts'
import { type ConvertOptions, fromConfiguration } from '../../import/configurations.ts'
import type { ReportRow } from '../../import/converted.ts'
import { DOCUMENT_BYTES_MAX, readConfiguration } from '../../import/text/configuration.ts'
import { tooMuchToRead } from '../../import/text/plain-data.ts'
import { confidential } from '../../model/annotations.ts'
import type { Job } from '../engine/apart.ts'
import { define } from '../engine/define.ts'
import { readUnread, type UnreadDocument } from '../engine/unread.ts'
import { hasRunner } from '../origins/kind.ts'
import { withoutVariables } from './read-documents.ts'
import { Exported, ReportRows } from './schemas.ts'

/** What another gateway or an MCP client was told, as documents: they are planned and applied like any others. */
export const convertConfig = define({
  resource: 'config',
  action: 'convert',
  effect: 'read',
  tool: 'convert_config',
  group: 'manage_config',
  summary:
    'Convert a declarative configuration of Kong (decK), the servers in a file of an AI application (such as mcpServers), or an entry of an MCP registry (server.json) to documents. Changes nothing: plan and apply the result',
  input: z.strictObject({
    document: confidential(
      'document',
      z.union([z.string().max(DOCUMENT_BYTES_MAX), z.looseObject({})]),
    ).describe('The configuration: JSON, also with comments, YAML or TOML as text, or the object itself'),
    servers: z
      .enum(['origins', 'collections'])
      .default('origins')
      .describe(
        'Conversion of MCP servers. origins: an origin and a virtual MCP each; collections: a collection each, which forwards all messages',
      ),
    values: z
      .record(z.string().max(256), z.string().max(4096))
      .default({})
      .describe(
        'Values of variables, headers and arguments of a registry entry, by name. Never give secrets here: the notes name the environment variables for secrets',
      ),
  }),
  output: z.object({
    documents: Exported.shape.documents,
    notes: z.array(z.string()).describe('One sentence for each part that is omitted, closed or different'),
    report: ReportRows,
    runner: z
      .record(z.string(), z.record(z.string(), z.json()))
      .describe('Entries for the file of postern runner, by name: servers that are programs'),
    exact: z.boolean().describe('False if a part is omitted, closed or different'),
  }),
  permission: 'config:read',
  refuses: ['document_invalid'],
  posted: true,
  itemwise: true,
  large: true,
  columns: ['documents.kind', 'documents.slug'],
  subject: () => ({ type: 'config', id: null, slug: null }),
  handle: async ({ document, servers, values }, { apart, egress, settings }) =>
    apart(convertDocument, {
      document,
      servers,
      values,
      hasRunner: hasRunner(settings),
      egress: egress.settings,
    }),
})

interface Asked extends Pick<ConvertOptions, 'servers' | 'values'> {
  readonly document: string | Plain | UnreadDocument
  readonly hasRunner: boolean
  readonly egress: EgressSettings
}

interface Documents {
  documents: { kind: string; slug: string; spec: Plain }[]
  notes: string[]
  report: ReportRow[]
  runner: Record<string, Record<string, z.core.util.JSONType>>
  exact: boolean
}

/** The configuration of another program as documents: a small file may become very many. */
export const convertDocument: Job<Asked, Documents> = {
  name: 'config.convert',
  tooMuch: tooMuchToRead,
  run: async ({ document, egress, ...options }) => {
    const { faultOf } = createEgress(egress)
    const converted = fromConfiguration(await readConfiguration(readUnread(document)), {
      ...options,
      urlFault: (url) => faultOf(destinationOf(url, 'discovered')),
    })
    const { documents, notes, report = [], exact, runner = {} } = converted
    return {
      // What looks like a variable there is none here
      documents: documents.map(({ kind, slug, spec }) => ({
        kind,
        slug,
        spec: withoutVariables(spec) as typeof spec,
      })),
      notes: [...notes],
      report: [...report],
      // Made of texts alone
      runner: runner as Documents['runner'],
      exact,
    }
  },
}
