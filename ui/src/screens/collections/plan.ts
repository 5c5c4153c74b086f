/** What an import would do, as a table. */
import type { JsonObject } from '../../../build/document.ts'
import type { DiffEntry } from '../../api/client.ts'
import { isObject } from '../../schema/value.ts'

type Change = 'added' | 'changed' | 'missing'

interface PlanRow {
  readonly change: Change
  /** Methods and path. */
  readonly route: string
  readonly proxy: string
  /** Members that differ, of a proxy that is there already. */
  readonly members: readonly string[]
  /** Changes that could break callers. */
  readonly breaking: readonly Note[]
}

export interface Note {
  readonly pointer: string
  readonly reason: string
}

export interface Plan {
  readonly rows: readonly PlanRow[]
  readonly unchanged: number
  /** `Published at /books as a draft, from https://books.example`; empty where the answer does not say. */
  readonly place: string
  /** Parts that are imported differently from the document. */
  readonly warnings: readonly Note[]
  readonly notEnforced: readonly Note[]
}

function notesOf(value: unknown): readonly Note[] {
  return (Array.isArray(value) ? value : []).filter(isObject).map((note) => ({
    pointer: String(note['pointer'] ?? ''),
    reason: [note['keyword'], note['reason']].filter((one) => typeof one === 'string').join(': '),
  }))
}

const PROXY = /^\/proxies\/([^/]+)$/

/** Proxies that a first import adds: the answer only counts them, and the difference has each. */
function addedOf(diff: readonly DiffEntry[], basePath: string): PlanRow[] {
  return diff.flatMap(({ op, path, value }) => {
    const proxy = PROXY.exec(path)?.[1]
    if (proxy === undefined || op !== 'add' || !isObject(value)) return []
    const methods = Array.isArray(value['methods']) ? value['methods'].join(', ') : ''
    return [
      { change: 'added', proxy, route: `${methods} ${basePath}${value['path']}`, members: [], breaking: [] },
    ]
  })
}

/**
 * The plan of `collections.import` or `collections.reimport`, from their dry run.
 * @param result the answer that the operation would give
 */
export function planOf(result: JsonObject, diff: readonly DiffEntry[]): Plan {
  const changes = result['changes']
  const collection = isObject(result['collection']) ? result['collection'] : {}
  const rows = Array.isArray(changes)
    ? changes.filter(isObject).map((one) => ({
        change: one['change'] as Change,
        proxy: String(one['proxy']),
        route: String(one['route']),
        members: (one['members'] ?? []) as readonly string[],
        breaking: notesOf(one['breaking']),
      }))
    : addedOf(diff, String(collection['base_path'] ?? ''))
  return {
    rows,
    unchanged: Number(result['unchanged'] ?? 0),
    place: placeOf(collection),
    warnings: notesOf(result['warnings']),
    notEnforced: notesOf(result['not_enforced']),
  }
}

function placeOf({ base_path: path, status, upstream }: JsonObject): string {
  if (typeof path !== 'string') return ''
  const targets = isObject(upstream) && Array.isArray(upstream['targets']) ? upstream['targets'] : []
  const urls = targets.filter(isObject).map(({ url }) => String(url))
  const from = urls.length === 0 ? 'without an upstream yet' : `from ${urls.join(', ')}`
  return `${status === 'published' ? 'Published' : 'A draft'} at ${path}, ${from}`
}

/** `12 added, 3 changed, 1 missing, 40 unchanged`; parts that are zero are left out. */
export function summaryOf({ rows, unchanged }: Plan): string {
  const count = (change: Change): number => rows.filter((row) => row.change === change).length
  const parts = [
    ...(['added', 'changed', 'missing'] as const).map((change) => [count(change), change] as const),
    [unchanged, 'unchanged'] as const,
  ].filter(([number]) => number > 0)
  return parts.length === 0
    ? 'Nothing changes'
    : parts.map(([number, word]) => `${number} ${word}`).join(', ')
}
