import { Copy, Plus, Trash2 } from 'lucide-react'
import { useEffect, useRef } from 'react'
import { Button, IconButton, Select } from '../../kit/controls.tsx'
import { classes } from '../../kit/style.ts'
import { NodeBadges } from './badges.tsx'
import { connect, removeNodes, retarget, type WorkflowNode } from './definition.ts'
import type { Place } from './dialogs.tsx'
import { leadsBack, orderOf, wordsOf } from './graph.ts'
import { NodeIcon } from './node-icon.tsx'
import { type Editor, findingsAt } from './use-editor.ts'

const NEW = ' new'

interface ListViewProps {
  readonly editor: Editor
  readonly open: (id: string) => void
  readonly add: (place: Place) => void
  readonly duplicate: (ids: readonly string[]) => void
}

/** The whole workflow as rows: each node after those that lead to it, with where each of its handles goes. */
export function ListView({ editor, open, add, duplicate }: ListViewProps) {
  const { definition, isReadOnly } = editor
  const rows = orderOf(definition)
  return (
    <div className="flex flex-col gap-2">
      <ol aria-label="Nodes" className="flex flex-col gap-2">
        {rows.map((node) => (
          <Row key={node.id} node={node} editor={editor} open={open} add={add} duplicate={duplicate} />
        ))}
      </ol>
      {!isReadOnly && (
        <div>
          <Button icon={Plus} onClick={() => add({ alone: true })}>
            Add a node
          </Button>
        </div>
      )}
    </div>
  )
}

function Row({ node, editor, open, add, duplicate }: ListViewProps & { node: WorkflowNode }) {
  const { definition, isReadOnly, wantsFocus } = editor
  const button = useRef<HTMLButtonElement>(null)
  const handles = editor.handles(node)
  const isSelected = editor.selection.includes(node.id)
  useEffect(() => {
    if (wantsFocus !== node.id) return
    button.current?.focus()
    editor.focused()
  }, [wantsFocus, node.id])
  return (
    <li
      data-node={node.id}
      onFocus={() => editor.select([node.id])}
      className={classes(
        'flex flex-col gap-2 rounded-md border bg-page p-2 sm:flex-row sm:items-start',
        isSelected ? 'border-accent' : 'border-line',
      )}
    >
      <div className="flex min-w-0 flex-1 items-start gap-2 sm:max-w-80">
        <NodeIcon type={node.type} kinds={editor.kinds} />
        <div className="min-w-0 flex-1">
          <button
            ref={button}
            type="button"
            data-node-button
            className="min-h-6 max-w-full text-left font-semibold break-words underline decoration-line underline-offset-4 hover:decoration-text"
            onClick={() => open(node.id)}
          >
            {node.id}
          </button>
          <p className="text-sm text-muted">{wordsOf(node.type)}</p>
          <NodeBadges run={editor.run.nodes.get(node.id)} findings={findingsAt(editor, node.id)} />
        </div>
      </div>
      <div className="grid min-w-0 flex-1 grid-cols-1 gap-1">
        {handles.length === 0 && <p className="py-1 text-sm text-muted">ends the run</p>}
        {handles.map((handle) => (
          <Ways key={handle} node={node} handle={handle} editor={editor} add={add} />
        ))}
      </div>
      {!isReadOnly && (
        <div className="flex shrink-0 justify-end">
          <IconButton icon={Copy} label={`Duplicate ${node.id}`} onClick={() => duplicate([node.id])} />
          <IconButton
            icon={Trash2}
            label={`Remove ${node.id}`}
            onClick={() => {
              editor.edit((now) => removeNodes(now, [node.id]))
              editor.focus(definition.edges.find(({ to }) => to === node.id)?.from ?? null)
            }}
          />
        </div>
      )}
    </li>
  )
}

interface WaysProps {
  readonly node: WorkflowNode
  readonly handle: string
  readonly editor: Editor
  readonly add: (place: Place) => void
}

/** Where a handle goes. Several targets run side by side. */
function Ways({ node, handle, editor, add }: WaysProps) {
  const { definition, isReadOnly, kinds } = editor
  const edges = definition.edges.filter((edge) => edge.from === node.id && edge.handle === handle)
  const isTrigger = ({ type }: WorkflowNode): boolean =>
    kinds.find((kind) => kind.type === type)?.phase === 'trigger'
  const targets = definition.nodes.filter(
    (one) =>
      edges.some(({ to }) => to === one.id) || (!isTrigger(one) && !leadsBack(definition, node.id, one.id)),
  )
  return (
    <div className="flex flex-wrap items-center gap-2">
      <span className="w-24 shrink-0 truncate text-sm" title={handle}>
        {handle}
      </span>
      <span className="shrink-0 text-sm text-muted">goes to</span>
      {[...edges, null].map((edge, index) => {
        // A further target is added by a last select
        if (edge === null && edges.length > 0 && isReadOnly) return null
        const isFurther = edge === null && edges.length > 0
        return (
          <Select
            key={edge?.to ?? ''}
            aria-label={`${node.id}: ${handle} goes ${isFurther ? 'also ' : ''}to${index > 0 && !isFurther ? `, ${index + 1}` : ''}`}
            disabled={isReadOnly}
            className={isFurther ? 'w-24' : 'w-40 max-w-full'}
            value={edge?.to ?? ''}
            onChange={(event) => {
              const to = event.target.value
              if (to === NEW) add({ behind: { from: node.id, handle } })
              else
                editor.edit((now) =>
                  edge === null
                    ? connect(now, { from: node.id, handle, to })
                    : retarget(now, edge, to === '' ? null : to),
                )
            }}
          >
            <option value="">{isFurther ? 'and …' : 'nothing'}</option>
            {targets.map(({ id }) => (
              <option key={id} value={id}>
                {id}
              </option>
            ))}
            {!isReadOnly && <option value={NEW}>a new node …</option>}
          </Select>
        )
      })}
    </div>
  )
}
