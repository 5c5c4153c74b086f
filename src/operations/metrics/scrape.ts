import { z } from 'zod'
import { EXPOSITION_TYPES, type ExpositionFormat, expositionFormatOf } from '../../record/exposition.ts'
import { define } from '../engine/define.ts'
import { metricsOperation } from './measure.ts'

/**
 * The metrics page for callers with a token. It is on no surface but its own path, `/metrics`. The page covers everything, so
 * a grant within a scope does not permit it.
 * @param page the text of a format
 */
export function createScrape(page: (format: ExpositionFormat) => string) {
  return define({
    ...metricsOperation,
    action: 'scrape',
    tool: 'scrape_metrics',
    summary: 'The metrics page',
    input: z.strictObject({ accept: z.string().describe('Value of the Accept field') }),
    output: z.object({ content_type: z.string(), text: z.string() }),
    unscoped: true,
    columns: ['text'],
    handle: async ({ accept }) => {
      const format = expositionFormatOf(accept)
      return { content_type: EXPOSITION_TYPES[format], text: page(format) }
    },
  })
}
