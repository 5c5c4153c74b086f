import { z } from 'zod'

/**
 * A JSON patch (RFC 6902) that also says what was before. Entries with `line` or `part` are for readers alone: they show long
 * texts piece by piece.
 */
export const Difference = z.object({
  op: z.enum(['add', 'remove', 'replace']),
  path: z.string(),
  from: z.json().optional(),
  value: z.json().optional(),
  item: z.string().optional().describe('Id, slug or name of the changed list item'),
  line: z.int().optional().describe('Long texts only: number of the first line in from and value'),
  part: z.string().optional().describe('Part of a text that is split into several entries, such as 2/3'),
})
export const Diff = z.array(Difference)

/** What a table shows of a difference; the command line prints a line for each in its place. */
export const DIFF_COLUMNS = ['op', 'path', 'item', 'from', 'value']
