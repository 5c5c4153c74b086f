/** The facets of rollups: what they count by. Each facet counts every row that has a value for it. */
import type { Rows } from '../block.ts'

export type FacetName =
  | 'all'
  | 'collection'
  | 'endpoint'
  | 'client'
  | 'agent'
  | 'method'
  | 'surface'
  | 'virtual_mcp'
  | 'origin'
  | 'profile'

interface Facet {
  readonly name: FacetName
  /** Stored under this number. */
  readonly id: number
  /** Parts that the values are divided into, so that a question about one value reads one part. */
  readonly shards: number
  /** The times at the upstream and in the gateway are counted too. Facets of many values have no room for them. */
  readonly isTimed: boolean
}

export const FACETS: readonly Facet[] = [
  { name: 'all', id: 0, shards: 1, isTimed: true },
  { name: 'collection', id: 1, shards: 1, isTimed: true },
  { name: 'endpoint', id: 2, shards: 16, isTimed: false },
  { name: 'client', id: 3, shards: 16, isTimed: false },
  { name: 'agent', id: 4, shards: 1, isTimed: true },
  { name: 'method', id: 5, shards: 1, isTimed: true },
  { name: 'surface', id: 6, shards: 1, isTimed: true },
  { name: 'virtual_mcp', id: 7, shards: 1, isTimed: true },
  { name: 'origin', id: 8, shards: 1, isTimed: true },
  { name: 'profile', id: 9, shards: 4, isTimed: false },
]

/** Between the parts of a value. */
export const SEPARATOR = '\0'

/** Methods that are told apart: callers choose methods, and a rollup has no room for invented ones. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'CONNECT', 'TRACE'])
const OTHER_METHOD = 'OTHER'
/** Longer names of agents are cut. */
const AGENT_MAX = 100

/** The facet of a name. */
export function facet(name: FacetName): Facet {
  return FACETS.find((one) => one.name === name)!
}

function methodOf(rows: Rows, row: number): string {
  const method = rows.method(row)
  return METHODS.has(method) ? method : OTHER_METHOD
}

function wordOf(rows: Rows, row: number, column: Parameters<Rows['word']>[1]): string {
  return rows.words[rows.word(row, column)] ?? ''
}

/**
 * The value of a row; null if it has none.
 * @param proved the caller has proved who it is; names of agents of other callers are not told apart
 */
export function facetValue(name: FacetName, rows: Rows, row: number, proved: boolean): string | null {
  switch (name) {
    case 'all':
      return ''
    case 'endpoint':
      return [
        wordOf(rows, row, 'proxy'),
        wordOf(rows, row, 'collection'),
        methodOf(rows, row),
        wordOf(rows, row, 'route'),
      ].join(SEPARATOR)
    case 'client': {
      const client = wordOf(rows, row, 'client')
      return client === '' ? null : client + SEPARATOR + wordOf(rows, row, 'collection')
    }
    case 'agent': {
      const agent = proved ? (rows.agent(row)?.name ?? '') : ''
      return agent === '' ? null : agent.slice(0, AGENT_MAX)
    }
    case 'method':
      return methodOf(rows, row)
    case 'surface':
      return String(rows.surface(row))
    case 'collection':
      return wordOf(rows, row, 'collection') || null
    case 'virtual_mcp':
      return wordOf(rows, row, 'virtualMcp') || null
    case 'origin':
      return wordOf(rows, row, 'origin') || null
    case 'profile':
      return wordOf(rows, row, 'profile') || null
  }
}

/** The shard of a value: by its first part, so that all of a proxy or client is in one. */
export function shardOf({ shards }: Facet, value: string): number {
  if (shards === 1) return 0
  const end = value.indexOf(SEPARATOR)
  const length = end === -1 ? value.length : end
  let hash = 0x811c9dc5
  for (let at = 0; at < length; at++) hash = Math.imul(hash ^ value.charCodeAt(at), 0x01000193)
  return (hash >>> 0) % shards
}
