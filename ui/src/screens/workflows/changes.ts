/** What differs between two definitions, node by node and edge by edge. */
import type { Json, JsonObject } from '../../../build/document.ts'
import type { DiffEntry } from '../../api/client.ts'
import { type Entry, entriesOf } from '../../schema/value.ts'
import { type Definition, definitionOf } from './definition.ts'

/** Nodes by id and edges by their ends: a list would differ as a whole. */
function byName({ nodes, edges, tests }: Definition): JsonObject {
  return {
    nodes: Object.fromEntries(nodes.map(({ id, ...rest }) => [id, rest as unknown as Json])),
    edges: Object.fromEntries(edges.map(({ from, handle, to }) => [`${from} ${handle} to ${to}`, true])),
    ...(tests !== undefined && { tests: tests as Json }),
  }
}

export function changesBetween(before: Definition, after: Definition): readonly Entry[] {
  return entriesOf(byName(before), byName(after))
}

/** A difference as the server tells it, with its lists of nodes and edges item by item. Its other entries stay. */
export function itemized(diff: readonly DiffEntry[]): readonly DiffEntry[] {
  return diff.flatMap((entry): readonly DiffEntry[] => {
    const [, place, list] = /^(.*)\/(nodes|edges|definition)$/.exec(entry.path) ?? []
    if (place === undefined || list === undefined) return [entry]
    const of = (value: unknown): Definition =>
      definitionOf((list === 'definition' ? (value ?? {}) : { [list]: value ?? [] }) as Json)
    const root = list === 'definition' ? `${place}/definition` : place
    return changesBetween(of(entry.from), of(entry.value)).map((one) => ({ ...one, path: root + one.path }))
  })
}
