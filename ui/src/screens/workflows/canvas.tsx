import {
  BaseEdge,
  type Connection,
  type Edge,
  EdgeLabelRenderer,
  type EdgeProps,
  getBezierPath,
  Handle,
  type Node,
  type NodeChange,
  type NodeProps,
  Position,
  ReactFlow,
  ReactFlowProvider,
  useReactFlow,
} from '@xyflow/react'
import { LayoutDashboard, Maximize, Plus, ZoomIn, ZoomOut } from 'lucide-react'
import { type RefObject, useEffect, useImperativeHandle, useMemo, useRef, useState } from 'react'
import { Button, IconButton } from '../../kit/controls.tsx'
import { classes } from '../../kit/style.ts'
import { NodeBadges } from './badges.tsx'
import { connect, type WorkflowEdge, type WorkflowNode } from './definition.ts'
import type { Place } from './dialogs.tsx'
import { leadsBack, sentenceOf, wordsOf } from './graph.ts'
import {
  HANDLE_HEIGHT,
  HEAD_HEIGHT,
  heightOf,
  NODE_WIDTH,
  type Positions,
  placed,
  startView,
} from './layout.ts'
import { NodeIcon } from './node-icon.tsx'
import { isTaken } from './run.ts'
import { type Editor, findingsAt } from './use-editor.ts'
import '@xyflow/react/dist/base.css'

export interface CanvasHandle {
  readonly move: (ids: readonly string[], x: number, y: number) => void
}

interface CanvasProps {
  readonly editor: Editor
  readonly open: (id: string) => void
  readonly add: (place: Place) => void
  readonly handle: RefObject<CanvasHandle | null>
}

interface StepData extends Record<string, unknown> {
  readonly step: WorkflowNode
  readonly handles: readonly string[]
  readonly isStart: boolean
  readonly editor: Editor
}
interface WayData extends Record<string, unknown> {
  readonly way: WorkflowEdge
  readonly isTaken: boolean
  readonly add: ((place: Place) => void) | null
}
type StepNode = Node<StepData, 'step'>
type WayEdge = Edge<WayData, 'way'>

const NODE_TYPES = { step: Step }
const EDGE_TYPES = { way: Way }
const FIT = { padding: 0.15, maxZoom: 1 }
const DOT = 12

/** The graph as a drawing of the document. What is moved, connected or removed here is changed there. */
export default function Canvas(props: CanvasProps) {
  return (
    <ReactFlowProvider>
      <Graph {...props} />
    </ReactFlowProvider>
  )
}

function Graph({ editor, open, add, handle }: CanvasProps) {
  const { definition, positions, selection, isReadOnly, wantsFocus, run } = editor
  const flow = useReactFlow<StepNode, WayEdge>()
  const place = useRef<HTMLDivElement>(null)
  /** Places of nodes while the pointer drags them. */
  const [dragged, setDragged] = useState<Positions>({})
  const handles = useMemo(
    () => new Map(definition.nodes.map((node) => [node.id, editor.handles(node)])),
    [definition, editor.handles],
  )
  const all = useMemo(
    () => placed(definition, positions, Object.fromEntries(handles)),
    [definition, positions, handles],
  )
  const starts = new Set(editor.kinds.filter(({ phase }) => phase === 'trigger').map(({ type }) => type))
  // One stop for Tab: arrows lead on from there
  const stop = selection[0] ?? definition.nodes[0]?.id
  const nodes = definition.nodes.map((step): StepNode => {
    const own = handles.get(step.id) ?? []
    const size = { width: NODE_WIDTH, height: heightOf(own.length) }
    return {
      id: step.id,
      type: 'step',
      position: dragged[step.id] ?? all[step.id]!,
      data: { step, handles: own, isStart: starts.has(step.type), editor },
      selected: selection.includes(step.id),
      focusable: step.id === stop,
      draggable: !isReadOnly,
      connectable: !isReadOnly,
      ariaLabel: sentenceOf(step, own, definition),
      ...size,
      measured: size,
    }
  })
  const edges = definition.edges
    .filter(({ from, to }) => handles.has(from) && handles.has(to))
    .map(
      (way): WayEdge => ({
        id: `${way.from} ${way.handle} ${way.to}`,
        type: 'way',
        source: way.from,
        sourceHandle: way.handle,
        target: way.to,
        focusable: false,
        selectable: false,
        ariaLabel: `${way.from}, ${way.handle} to ${way.to}`,
        data: { way, isTaken: isTaken(run, way), add: isReadOnly ? null : add },
      }),
    )
  const commit = (moved: Positions, gesture: string | null): void =>
    editor.move({ ...all, ...moved }, gesture)
  useImperativeHandle(handle, () => ({
    move: (ids, x, y) =>
      commit(
        Object.fromEntries(
          ids.flatMap((id) => (all[id] === undefined ? [] : [[id, { x: all[id].x + x, y: all[id].y + y }]])),
        ),
        `move ${ids.join(' ')}`,
      ),
  }))
  const onNodesChange = (changes: readonly NodeChange<StepNode>[]): void => {
    const moves = changes.filter((change) => change.type === 'position')
    const now = Object.fromEntries(moves.flatMap(({ id, position }) => (position ? [[id, position]] : [])))
    if (moves.some(({ dragging }) => dragging === true)) setDragged((before) => ({ ...before, ...now }))
    else if (moves.length > 0) {
      setDragged({})
      commit({ ...dragged, ...now }, null)
    }
    const picks = changes.filter((change) => change.type === 'select')
    if (picks.length > 0) {
      const picked = new Set(selection)
      for (const { id, selected } of picks) selected ? picked.add(id) : picked.delete(id)
      editor.select([...picked])
    }
  }
  // Nodes that come onto an empty canvas together, as those of a template do
  const isEmpty = definition.nodes.length === 0
  const wasEmpty = useRef(isEmpty)
  useEffect(() => {
    if (wasEmpty.current && !isEmpty) requestAnimationFrame(() => void flow.fitView(FIT))
    wasEmpty.current = isEmpty
  }, [isEmpty])
  useEffect(() => {
    if (wantsFocus === null) return
    const element = place.current?.querySelector<HTMLElement>(
      `.react-flow__node[data-id="${CSS.escape(wantsFocus)}"]`,
    )
    if (element == null) return
    element.tabIndex = 0
    element.focus({ preventScroll: true })
    const at = all[wantsFocus]
    const frame = place.current!.getBoundingClientRect()
    const box = element.getBoundingClientRect()
    const isSeen =
      box.left >= frame.left && box.right <= frame.right && box.top >= frame.top && box.bottom <= frame.bottom
    if (at !== undefined && !isSeen)
      flow.setCenter(at.x + NODE_WIDTH / 2, at.y + HEAD_HEIGHT / 2, { zoom: flow.getZoom() }).catch(() => {})
    editor.focused()
  }, [wantsFocus, all])
  const isFree = ({ source, target }: Connection | WayEdge): boolean =>
    !starts.has(definition.nodes.find(({ id }) => id === target)?.type ?? '') &&
    !leadsBack(definition, source, target)
  return (
    <div className="flex min-h-0 flex-col gap-2">
      <div className="flex flex-wrap gap-1">
        <IconButton icon={ZoomIn} label="Zoom in" onClick={() => void flow.zoomIn()} />
        <IconButton icon={ZoomOut} label="Zoom out" onClick={() => void flow.zoomOut()} />
        <IconButton icon={Maximize} label="Show all nodes" onClick={() => void flow.fitView(FIT)} />
        {!isReadOnly && (
          <Button
            isSmall
            tone="quiet"
            icon={LayoutDashboard}
            onClick={() => {
              editor.move({})
              requestAnimationFrame(() => void flow.fitView(FIT))
            }}
          >
            Arrange
          </Button>
        )}
      </div>
      <div
        ref={place}
        role="application"
        aria-label="Canvas of the workflow"
        aria-describedby="canvas-keys"
        onFocus={({ target }) => {
          // The pointer selects by itself, several nodes with Shift
          const id = target.matches(':focus-visible')
            ? target.closest<HTMLElement>('.react-flow__node')?.dataset['id']
            : undefined
          if (id !== undefined && !selection.includes(id)) editor.select([id])
        }}
        className="h-120 overflow-hidden rounded-md border border-line bg-raised"
      >
        <ReactFlow<StepNode, WayEdge>
          nodes={nodes}
          edges={edges}
          nodeTypes={NODE_TYPES}
          edgeTypes={EDGE_TYPES}
          onInit={() => {
            const { clientWidth: width, clientHeight: height } = place.current!
            flow
              .setViewport(startView(definition, all, Object.fromEntries(handles), { width, height }))
              .catch(() => {})
          }}
          minZoom={0.2}
          maxZoom={2}
          disableKeyboardA11y
          proOptions={{ hideAttribution: true }}
          deleteKeyCode={null}
          nodeDragThreshold={3}
          onNodesChange={onNodesChange}
          onNodeDoubleClick={(_, { id }) => open(id)}
          onPaneClick={() => editor.select([])}
          isValidConnection={isFree}
          onConnect={({ source, sourceHandle, target }) =>
            editor.edit((now) =>
              connect(now, { from: source, handle: sourceHandle ?? 'default', to: target }),
            )
          }
          onConnectEnd={(_, { isValid, fromNode, fromHandle, toNode }) => {
            if (isValid === true || toNode !== null || fromNode === null || fromHandle?.type !== 'source')
              return
            add({ behind: { from: fromNode.id, handle: fromHandle.id ?? 'default' } })
          }}
        />
      </div>
      <p id="canvas-keys" className="text-sm text-muted max-sm:hidden">
        Arrow keys follow edges, Shift with an arrow key moves a node, Enter opens it, <kbd>n</kbd> adds a
        node, <kbd>e</kbd> adds or removes an edge, Delete removes the selection.
      </p>
    </div>
  )
}

/** A node: its id and type, what the last run and validation say, and its handles. */
function Step({ data, selected }: NodeProps<StepNode>) {
  const { step, handles, isStart, editor } = data
  const dot = (top: number) => ({
    ...{ top, width: DOT, height: DOT, borderRadius: DOT },
    background: 'var(--color-page)',
    border: '2px solid var(--color-edge)',
  })
  return (
    <div
      style={{ width: NODE_WIDTH, height: heightOf(handles.length) }}
      className={classes(
        'rounded-md border bg-page text-text',
        selected ? 'border-accent outline-2 outline-accent' : 'border-edge',
      )}
    >
      {!isStart && <Handle type="target" position={Position.Left} style={dot(HEAD_HEIGHT / 2)} />}
      <div style={{ height: HEAD_HEIGHT }} className="flex items-center gap-2 px-3">
        <NodeIcon type={step.type} kinds={editor.kinds} />
        <div className="min-w-0 flex-1">
          <p title={step.id} className="truncate font-semibold">
            {step.id}
          </p>
          <div className="flex items-center gap-2 overflow-hidden text-sm whitespace-nowrap text-muted">
            <span className="truncate">{wordsOf(step.type)}</span>
            <NodeBadges
              run={editor.run.nodes.get(step.id)}
              findings={findingsAt(editor, step.id)}
              className="shrink-0 text-text"
            />
          </div>
        </div>
      </div>
      {handles.map((handle, index) => (
        <div key={handle}>
          {handles.length > 1 && (
            <p
              style={{ height: HANDLE_HEIGHT }}
              className="truncate px-3 text-right text-xs leading-5 text-muted"
            >
              {handle}
            </p>
          )}
          <Handle
            id={handle}
            type="source"
            position={Position.Right}
            style={dot(
              handles.length > 1 ? HEAD_HEIGHT + index * HANDLE_HEIGHT + HANDLE_HEIGHT / 2 : HEAD_HEIGHT / 2,
            )}
          />
        </div>
      ))}
    </div>
  )
}

/** An edge; the last run's way is thick. Its button adds a node in the middle. */
function Way({
  sourceX,
  sourceY,
  sourcePosition,
  targetX,
  targetY,
  targetPosition,
  data,
}: EdgeProps<WayEdge>) {
  const [path, x, y] = getBezierPath({
    ...{ sourceX, sourceY, sourcePosition, targetX, targetY, targetPosition },
  })
  const isBold = data?.isTaken === true
  return (
    <>
      <BaseEdge
        path={path}
        style={{
          stroke: isBold ? 'var(--color-accent)' : 'var(--color-edge)',
          strokeWidth: isBold ? 3 : 1.5,
        }}
      />
      {data?.add != null && (
        <EdgeLabelRenderer>
          <button
            type="button"
            tabIndex={-1}
            aria-label={`Add a node between ${data.way.from} and ${data.way.to}`}
            style={{ transform: `translate(-50%, -50%) translate(${x}px, ${y}px)`, pointerEvents: 'all' }}
            className="nodrag nopan absolute flex size-6 items-center justify-center rounded-full border border-edge bg-page text-muted opacity-60 hover:text-text hover:opacity-100"
            onClick={() => data.add?.({ into: data.way })}
          >
            <Plus size={14} aria-hidden="true" />
          </button>
        </EdgeLabelRenderer>
      )}
    </>
  )
}
