import { z } from 'zod'
import { unit } from './annotations.ts'
import { Time } from './members.ts'

export const FORMATS = ['csv', 'ndjson'] as const

/** An export as it is shown. */
export const ExportView = z.object({
  id: z.string(),
  of: z.enum(['records', 'audit']),
  format: z.enum(FORMATS),
  state: z
    .enum(['queued', 'running', 'ready', 'failed', 'expired'])
    .describe('expired: the file was deleted after its retention time, or by cancel'),
  filters: z.record(z.string(), z.json()).describe('Filters of the request'),
  rows: z.int(),
  bytes: z.int().meta(unit('bytes')),
  truncated: z
    .boolean()
    .describe('True if the result exceeds the maximum file size; the file has the newest entries'),
  error: z.string().nullable().describe('Reason why no file exists'),
  created_at: Time,
  created_by: z.string(),
  finished_at: Time.nullable(),
  expires_at: Time.nullable().describe('Time at which the file is deleted'),
})

/** An export as it is kept. */
export const KeptExport = ExportView.extend({
  /** Id of who asked for it. */
  owner: z.string(),
  /** Ids of the collections whose rows it may hold; null for all rows. */
  collections: z.array(z.string()).nullable(),
  /** The filters as the stores are asked by them. */
  filter: z.record(z.string(), z.json()),
})
export type KeptExport = z.output<typeof KeptExport>
