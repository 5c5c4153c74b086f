import type { Search } from '../../app/search.ts'

/** Members of the view that are no filters. */
const VIEW = ['record', 'entry', 'live', 'order', 'limit', 'cursor', 'fields', 'bodies']

/** Input of `exports.create` for what a list shows. The filter of audit entries by reason has another name there. */
export function exportInput(
  of: 'records' | 'audit',
  format: string,
  search: Search,
): Readonly<Record<string, unknown>> {
  const filters = Object.entries(search)
    .filter(([name]) => !VIEW.includes(name))
    .map(([name, value]) => [of === 'audit' && name === 'reason' ? 'with_reason' : name, value])
  return { of, format, ...Object.fromEntries(filters) }
}
