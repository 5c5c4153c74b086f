/** Where nodes lie on the canvas. Positions are no part of the document: what has none is placed by its ways. */
import dagre from '@dagrejs/dagre'
import type { Definition } from './definition.ts'

interface Position {
  readonly x: number
  readonly y: number
}
export type Positions = Readonly<Record<string, Position>>

export const NODE_WIDTH = 208
/** Head of a node, and each of its handles, pixels. */
export const HEAD_HEIGHT = 56
export const HANDLE_HEIGHT = 20

export function heightOf(handles: number): number {
  return HEAD_HEIGHT + (handles > 1 ? handles * HANDLE_HEIGHT + 4 : 0)
}

/** Places of all nodes: those that they have, or beside the node that leads to them. `handles`: how many each node has, by id. */
export function placed(
  { nodes, edges }: Definition,
  positions: Positions,
  handles: Readonly<Record<string, number>>,
): Positions {
  const missing = nodes.filter(({ id }) => positions[id] === undefined)
  if (missing.length === 0) return positions
  const graph = new dagre.graphlib.Graph()
  graph.setGraph({ rankdir: 'LR', nodesep: 32, ranksep: 96, marginx: 16, marginy: 16 })
  graph.setDefaultEdgeLabel(() => ({}))
  for (const { id } of nodes) graph.setNode(id, { width: NODE_WIDTH, height: heightOf(handles[id] ?? 0) })
  for (const { from, to } of edges) if (graph.hasNode(from) && graph.hasNode(to)) graph.setEdge(from, to)
  dagre.layout(graph)
  const own = (id: string): Position => {
    const { x, y, width, height } = graph.node(id) as { x: number; y: number; width: number; height: number }
    return { x: Math.round(x - width / 2), y: Math.round(y - height / 2) }
  }
  const found: Record<string, Position> = { ...positions }
  for (const { id } of missing) {
    const place = own(id)
    // As far from the node before it as the layout has it
    const before = edges.find(({ from, to }) => to === id && found[from] !== undefined)?.from
    const shift = before === undefined ? null : { from: own(before), to: found[before]! }
    found[id] =
      shift === null
        ? place
        : { x: place.x + shift.to.x - shift.from.x, y: place.y + shift.to.y - shift.from.y }
  }
  return found
}
