/** Where nodes lie on the canvas. Positions are no part of the document: what has none is placed by its ways. */
import dagre from '@dagrejs/dagre'
import type { Definition } from './definition.ts'

interface Position {
  readonly x: number
  readonly y: number
}
export type Positions = Readonly<Record<string, Position>>

type Handles = Readonly<Record<string, readonly string[]>>
interface Box extends Position {
  readonly width: number
  readonly height: number
}

export const NODE_WIDTH = 208
/** Between nodes below each other, pixels. */
const NODE_GAP = 32
/** Head of a node, and each of its handles, pixels. */
export const HEAD_HEIGHT = 56
export const HANDLE_HEIGHT = 20

export function heightOf(handles: number): number {
  return HEAD_HEIGHT + (handles > 1 ? handles * HANDLE_HEIGHT + 4 : 0)
}

/** Places of all nodes: those that they have, or beside the node that leads to them. `handles`: names of those of each node, by id. */
export function placed({ nodes, edges }: Definition, positions: Positions, handles: Handles): Positions {
  const missing = nodes.filter(({ id }) => positions[id] === undefined)
  if (missing.length === 0) return positions
  const graph = new dagre.graphlib.Graph()
  graph.setGraph({ rankdir: 'LR', nodesep: NODE_GAP, ranksep: 96, marginx: 16, marginy: 16 })
  graph.setDefaultEdgeLabel(() => ({}))
  for (const { id } of nodes)
    graph.setNode(id, { width: NODE_WIDTH, height: heightOf(handles[id]?.length ?? 0) })
  for (const { from, to } of edges) if (graph.hasNode(from) && graph.hasNode(to)) graph.setEdge(from, to)
  dagre.layout(graph)
  const boxes = new Map(
    nodes.map(({ id }) => {
      const { x, y, width, height } = graph.node(id) as Box
      return [id, { x: Math.round(x - width / 2), y: Math.round(y - height / 2), width, height }] as const
    }),
  )
  orderByHandles(boxes, edges, handles)
  const own = (id: string): Position => boxes.get(id)!
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

/** Smaller texts cannot be read. */
const ZOOM_MIN = 0.6
/** Share of the frame that the graph fills. */
const FILLED = 0.85
const EDGE = 16

interface View extends Position {
  readonly zoom: number
}

/**
 * How the canvas opens: the whole graph if its text can be read then, else its start.
 * @param frame size of the canvas, pixels
 */
export function startView(
  { nodes, edges }: Definition,
  places: Positions,
  handles: Handles,
  frame: { readonly width: number; readonly height: number },
): View {
  const first = nodes.find(({ id }) => !edges.some(({ to }) => to === id)) ?? nodes[0]
  if (first === undefined) return { x: 0, y: 0, zoom: 1 }
  const boxes = nodes.map(({ id }) => ({ ...places[id]!, height: heightOf(handles[id]?.length ?? 0) }))
  const left = Math.min(...boxes.map(({ x }) => x))
  const top = Math.min(...boxes.map(({ y }) => y))
  const width = Math.max(...boxes.map(({ x }) => x)) + NODE_WIDTH - left
  const height = Math.max(...boxes.map(({ y, height: own }) => y + own)) - top
  const fitting = Math.min((frame.width * FILLED) / width, (frame.height * FILLED) / height)
  const zoom = Math.min(1, Math.max(ZOOM_MIN, fitting))
  const start = places[first.id]!
  return {
    x: width * zoom <= frame.width ? (frame.width - width * zoom) / 2 - left * zoom : EDGE - start.x * zoom,
    y:
      height * zoom <= frame.height
        ? (frame.height - height * zoom) / 2 - top * zoom
        : frame.height / 2 - (start.y + HEAD_HEIGHT / 2) * zoom,
    zoom,
  }
}

/**
 * dagre does not know that edges begin at handles. From left to right, the nodes of each column come in the order of the handles that
 * lead to them, so that edges of one node do not cross.
 */
function orderByHandles(boxes: Map<string, Box>, edges: Definition['edges'], handles: Handles): void {
  const columns = Map.groupBy(boxes.keys(), (id) => boxes.get(id)!.x + NODE_WIDTH / 2)
  const portOf = ({ from, handle }: Definition['edges'][number]): number => {
    const own = handles[from] ?? []
    return boxes.get(from)!.y + HEAD_HEIGHT + Math.max(0, own.indexOf(handle)) * HANDLE_HEIGHT
  }
  for (const [, ids] of [...columns].sort(([one], [other]) => one - other)) {
    const wanted = new Map(
      ids.map((id) => {
        const ports = edges.filter(({ from, to }) => to === id && boxes.has(from)).map(portOf)
        const mean = ports.reduce((sum, port) => sum + port, 0) / ports.length
        return [id, ports.length === 0 ? boxes.get(id)!.y : mean] as const
      }),
    )
    let top = Math.min(...ids.map((id) => boxes.get(id)!.y))
    const tops = ids.map((id) => boxes.get(id)!.y).sort((one, other) => one - other)
    const ordered = ids.toSorted((one, other) => wanted.get(one)! - wanted.get(other)!)
    for (const [index, id] of ordered.entries()) {
      const box = boxes.get(id)!
      const y = Math.max(top, tops[index]!)
      boxes.set(id, { ...box, y })
      top = y + box.height + NODE_GAP
    }
  }
}
