/** What differs between two definitions, node by node and edge by edge. */
import type { Json, JsonObject } from '../../../build/document.ts'
import { type Entry, entriesOf } from '../../schema/value.ts'
import type { Definition } from './definition.ts'

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
