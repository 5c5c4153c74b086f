/** Decides which rollups answer a question about metrics. */

import { RECORD_SURFACES } from '../../model/resource-types.ts'
import { ENDPOINT_SEPARATOR, type MetricsGrouping, type MetricsQuestion } from '../metrics.ts'
import type { RecordSelection } from '../record-selection.ts'
import { type FacetName, facet, SEPARATOR, shardOf } from './facets.ts'

export interface Plan {
  readonly facet: FacetName
  /** Null for all. */
  readonly shard: number | null
  /** True for a value that is asked for. */
  readonly fits: (parts: readonly string[]) => boolean
  /** The group of a value; null for none. The start of the rollup decides where it is gathered by time. */
  readonly groupOf: (parts: readonly string[]) => string | null
  /** Distinct clients are counted by the values of the facet `client`. */
  readonly countsClients: boolean
}

/** What narrows a question besides time and status. */
const DIMENSIONS = [
  'collection',
  'collections',
  'proxy',
  'client',
  'profile',
  'virtual_mcp',
  'origin',
  'method',
  'surface',
  'agent_name',
] as const
type Dimension = (typeof DIMENSIONS)[number]
const KNOWN: readonly string[] = [...DIMENSIONS, 'status', 'from', 'to']

/** Where the parts of the values of a facet stand that questions are narrowed by. */
const PARTS: Readonly<Record<FacetName, Partial<Record<Dimension, number>>>> = {
  all: {},
  collection: { collection: 0, collections: 0 },
  endpoint: { proxy: 0, collection: 1, collections: 1, method: 2 },
  client: { client: 0, collection: 1, collections: 1 },
  agent: { agent_name: 0 },
  method: { method: 0 },
  surface: { surface: 0 },
  virtual_mcp: { virtual_mcp: 0 },
  origin: { origin: 0 },
  profile: { profile: 0 },
}
/** Smallest first. */
const ORDER: readonly FacetName[] = [
  'all',
  'surface',
  'method',
  'collection',
  'agent',
  'virtual_mcp',
  'origin',
  'profile',
  'client',
  'endpoint',
]
/** The part of a value that a question is gathered by; of facets that have it. */
const GROUPS: Readonly<Partial<Record<MetricsGrouping, Partial<Record<FacetName, number>>>>> = {
  method: { method: 0, endpoint: 2 },
  collection: { collection: 0, endpoint: 1, client: 1 },
  proxy: { endpoint: 0 },
  client: { client: 0 },
  profile: { profile: 0 },
  agent: { agent: 0 },
  virtual_mcp: { virtual_mcp: 0 },
  origin: { origin: 0 },
}

/** The rollups that answer a question; null if none do, and the records have to be read. */
export function planOf({ selection, by }: Pick<MetricsQuestion, 'selection' | 'by'>): Plan | null {
  const given = Object.entries(selection).filter(([, value]) => value !== undefined)
  if (given.some(([name]) => !KNOWN.includes(name))) return null
  const asked = DIMENSIONS.filter((name) => selection[name] !== undefined)
  const found = ORDER.find(
    (name) => asked.every((one) => PARTS[name][one] !== undefined) && canGather(by, name),
  )
  if (found === undefined) return null
  const tests = asked.map((name) => testOf(found, name, selection))
  if (tests.includes(null)) return null
  const first = asked.find((name) => PARTS[found][name] === 0)
  const value = first === undefined || first === 'collections' ? null : String(selection[first])
  return {
    facet: found,
    shard: value === null || first === 'surface' ? null : shardOf(facet(found), value),
    fits: (parts) => tests.every((test) => test!(parts)),
    groupOf: groupOf(by, found),
    countsClients: by === 'all' && asked.every((name) => PARTS.client[name] !== undefined),
  }
}

function canGather(by: MetricsGrouping, name: FacetName): boolean {
  if (by === 'all' || by === 'status' || by === 'time') return true
  if (by === 'endpoint') return name === 'endpoint'
  return GROUPS[by]?.[name] !== undefined
}

function groupOf(by: MetricsGrouping, name: FacetName): Plan['groupOf'] {
  if (by === 'endpoint')
    return ([, , method, route]) => (route === '' ? null : method + ENDPOINT_SEPARATOR + route)
  const part = GROUPS[by]?.[name]
  return part === undefined ? () => '' : (parts) => parts[part] || null
}

function testOf(
  name: FacetName,
  dimension: Dimension,
  selection: RecordSelection,
): ((parts: readonly string[]) => boolean) | null {
  const part = PARTS[name][dimension]!
  if (dimension === 'collections') {
    const wanted = new Set(selection.collections)
    return (parts) => wanted.has(parts[part] ?? '')
  }
  if (dimension === 'surface') {
    const { surface } = selection
    if (surface === 'agent') return (parts) => parts[part] !== '0'
    const number = String(RECORD_SURFACES.indexOf(surface as (typeof RECORD_SURFACES)[number]))
    return (parts) => parts[part] === number
  }
  const wanted = selection[dimension]
  return (parts) => parts[part] === wanted
}

/** The parts of a value of a facet. */
export function partsOf(value: string): readonly string[] {
  return value.split(SEPARATOR)
}
