import { useNavigate, useSearch } from '@tanstack/react-router'
import {
  Copy,
  LayoutTemplate,
  Link2,
  Pencil,
  Play,
  Plus,
  Redo2,
  Save,
  Send,
  Trash2,
  Undo2,
} from 'lucide-react'
import { lazy, Suspense, useRef, useState } from 'react'
import type { JsonObject, ResourceSchemas } from '../../../build/document.ts'
import { faultOf, nameOf, useMay } from '../../api/client.ts'
import { one, type Search } from '../../app/search.ts'
import { useNarrow } from '../../kit/browser.ts'
import { Button, IconButton } from '../../kit/controls.tsx'
import { Empty, FaultBox, SkeletonRows } from '../../kit/page.tsx'
import { Status } from '../../kit/status.tsx'
import { classes } from '../../kit/style.ts'
import { CallsPane } from './calls-pane.tsx'
import type { CanvasHandle } from './canvas.tsx'
import { CapturesPane } from './captures-pane.tsx'
import { clipOf, nodeOf } from './definition.ts'
import { EdgeDialog, Palette, type Place } from './dialogs.tsx'
import { insertClip, placeFor, removeSelected, useEditorKeys } from './keys.ts'
import { ListView } from './list-view.tsx'
import { NodePanel } from './node-panel.tsx'
import { ProblemsPane } from './problems-pane.tsx'
import { PublishDialog } from './publish-dialog.tsx'
import { type RunHandle, RunPane } from './run-pane.tsx'
import { SaveDialog } from './save-dialog.tsx'
import { TemplatesDialog } from './templates-dialog.tsx'
import { type Editor, type Source, useEditor } from './use-editor.ts'

const Canvas = lazy(() => import('./canvas.tsx'))

const PANES = ['run', 'problems', 'captures', 'calls'] as const
type Pane = (typeof PANES)[number]

interface WorkflowEditorProps {
  readonly source: Source
  /** Of `workflows`. */
  readonly schemas: ResourceSchemas
  /** A set of documents manages it, or the person may not change it. */
  readonly isReadOnly: boolean
}

/** A workflow as a list and as a canvas: two views of one document. The address holds the view, the open node and the pane below. */
export function WorkflowEditor({ source, schemas, isReadOnly }: WorkflowEditorProps) {
  const editor = useEditor(source, isReadOnly)
  const search = useSearch({ strict: false }) as Search
  const navigate = useNavigate()
  const isNarrow = useNarrow()
  const may = useMay()
  const [adding, setAdding] = useState<Place | null>(null)
  const [connecting, setConnecting] = useState<string | null>(null)
  const [dialog, setDialog] = useState<'save' | 'publish' | 'templates' | null>(null)
  const [request, setRequest] = useState('')
  const runner = useRef<RunHandle>(null)
  const canvas = useRef<CanvasHandle>(null)
  const view = one(search['view']) ?? (isNarrow ? 'list' : 'canvas')
  const wanted = one(search['pane'])
  const pane: Pane = PANES.find((one) => one === wanted) ?? 'run'
  const node = one(search['node'])
  const show = (changes: Readonly<Record<string, string | undefined>>, replace = true): void => {
    navigate({ to: '.', search: { ...search, ...changes } as never, replace }).catch(() => {})
  }
  const open = (id: string): void => {
    editor.select([id])
    show({ node: id }, false)
  }
  const run = (): void => {
    if (pane !== 'run') show({ pane: undefined })
    // The pane may not be there yet
    requestAnimationFrame(() => runner.current?.run())
  }
  const take = (fixture: JsonObject): void => {
    setRequest(JSON.stringify(fixture, null, 2))
    show({ pane: undefined })
  }
  useEditorKeys(editor, {
    add: setAdding,
    open,
    connect: setConnecting,
    run,
    move: view === 'canvas' ? (ids, x, y) => canvas.current?.move(ids, x, y) : null,
  })
  const problems = editor.judged.findings.length
  return (
    <div className="flex min-w-0 flex-col gap-4">
      <Drafts editor={editor} />
      {editor.failed.map(({ error, refetch }, index) => (
        <FaultBox key={index} fault={faultOf(error)} retry={() => void refetch()} />
      ))}
      <Toolbar
        editor={editor}
        view={view}
        onView={(next) => show({ view: next })}
        onAdd={() => setAdding(placeFor(editor))}
        onOpen={open}
        onConnect={setConnecting}
        onRun={run}
        onSave={() => setDialog('save')}
        onPublish={may('proxies.publish') ? () => setDialog('publish') : null}
      />
      {editor.definition.nodes.length === 0 && (
        <NoNodes
          onTemplates={
            !isReadOnly && may('workflows.templates') && may('workflows.expand_template')
              ? () => setDialog('templates')
              : null
          }
        />
      )}
      <div data-graph>
        {view === 'canvas' ? (
          <Suspense fallback={<SkeletonRows rows={12} />}>
            <Canvas editor={editor} open={open} add={setAdding} handle={canvas} />
          </Suspense>
        ) : (
          <ListView
            editor={editor}
            open={open}
            add={setAdding}
            duplicate={(ids) => insertClip(editor, clipOf(editor.definition, ids))}
          />
        )}
      </div>
      <section
        aria-label="Run and problems"
        className="flex flex-col gap-3 rounded-md border border-line p-3"
      >
        <div
          role="tablist"
          aria-label="Run and problems"
          className="flex flex-wrap gap-4 border-b border-line"
        >
          {PANES.map((name) => (
            <button
              key={name}
              type="button"
              role="tab"
              id={`pane-${name}`}
              aria-selected={pane === name}
              aria-controls="pane"
              className={classes(
                '-mb-px h-9 border-b-2 px-1',
                pane === name ? 'border-accent font-medium' : 'border-transparent text-muted hover:text-text',
              )}
              onClick={() => show({ pane: name === 'run' ? undefined : name })}
            >
              {LABELS[name]}
              {name === 'problems' && problems > 0 && <span className="ml-1 text-sm">({problems})</span>}
            </button>
          ))}
        </div>
        <div id="pane" role="tabpanel" aria-labelledby={`pane-${pane}`}>
          {pane === 'run' && (
            <RunPane
              editor={editor}
              text={request}
              onText={setRequest}
              open={open}
              handle={runner}
              onSources={(next) => show({ pane: next })}
            />
          )}
          {pane === 'problems' && <ProblemsPane editor={editor} open={open} />}
          {pane === 'captures' && <CapturesPane editor={editor} schemas={schemas} onTake={take} />}
          {pane === 'calls' && <CallsPane editor={editor} open={open} onTake={take} />}
        </div>
      </section>
      {node !== undefined && nodeOf(editor.definition, node) !== undefined && (
        <NodePanel
          key={editor.definition.nodes.findIndex(({ id }) => id === node)}
          editor={editor}
          id={node}
          schemas={schemas}
          onClose={() => {
            show({ node: undefined })
            editor.focus(node)
          }}
          onRenamed={(id) => show({ node: id })}
        />
      )}
      {adding !== null && <Palette editor={editor} place={adding} onClose={() => setAdding(null)} />}
      {connecting !== null && (
        <EdgeDialog editor={editor} id={connecting} onClose={() => setConnecting(null)} />
      )}
      {dialog === 'save' && <SaveDialog editor={editor} onClose={() => setDialog(null)} />}
      {dialog === 'templates' && <TemplatesDialog editor={editor} onClose={() => setDialog(null)} />}
      {dialog === 'publish' && <PublishDialog editor={editor} onClose={() => setDialog(null)} />}
    </div>
  )
}

const LABELS: Readonly<Record<Pane, string>> = {
  run: 'Run',
  problems: 'Problems',
  captures: 'Captures',
  calls: 'Recent calls',
}

interface ToolbarProps {
  readonly editor: Editor
  readonly view: string
  readonly onView: (view: 'list' | 'canvas') => void
  readonly onAdd: () => void
  readonly onOpen: (id: string) => void
  readonly onConnect: (id: string) => void
  readonly onRun: () => void
  readonly onSave: () => void
  readonly onPublish: (() => void) | null
}

function Toolbar(props: ToolbarProps) {
  const { editor, view, onView, onAdd, onOpen, onConnect, onRun, onSave, onPublish } = props
  const { definition, selection, isReadOnly, isDirty, base } = editor
  const may = useMay()
  const [first] = selection
  return (
    <div role="toolbar" aria-label="Workflow" className="flex flex-wrap items-center gap-2">
      <span role="group" aria-label="View" className="flex">
        {(['list', 'canvas'] as const).map((name) => (
          <button
            key={name}
            type="button"
            aria-pressed={view === name}
            className={classes(
              'h-8 border border-edge px-3 first:rounded-l-md last:-ml-px last:rounded-r-md',
              view === name ? 'bg-accent-soft font-medium' : 'text-muted hover:text-text',
            )}
            onClick={() => onView(name)}
          >
            {name === 'list' ? 'List' : 'Canvas'}
          </button>
        ))}
      </span>
      {!isReadOnly && (
        <>
          <IconButton icon={Undo2} label="Undo (Ctrl Z)" disabled={!editor.canUndo} onClick={editor.undo} />
          <IconButton icon={Redo2} label="Redo (Ctrl Y)" disabled={!editor.canRedo} onClick={editor.redo} />
          {view === 'canvas' && (
            <Button icon={Plus} onClick={onAdd}>
              Add a node
            </Button>
          )}
        </>
      )}
      {view === 'canvas' && first !== undefined && (
        <>
          <IconButton icon={Pencil} label={`Open ${first} (Enter)`} onClick={() => onOpen(first)} />
          {!isReadOnly && (
            <>
              <IconButton icon={Link2} label={`Edges of ${first} (e)`} onClick={() => onConnect(first)} />
              <IconButton
                icon={Copy}
                label="Duplicate the selection (Ctrl D)"
                onClick={() => insertClip(editor, clipOf(definition, selection))}
              />
              <IconButton
                icon={Trash2}
                label="Remove the selection (Delete)"
                onClick={() => removeSelected(editor)}
              />
            </>
          )}
        </>
      )}
      <span className="flex-1" />
      {isReadOnly ? (
        <Status state="off">Read-only</Status>
      ) : (
        <Status state={isDirty ? 'changed' : 'ok'}>
          {isDirty ? 'Changed, not saved' : `Saved, revision ${base.revision}`}
        </Status>
      )}
      {may('workflows.test') && (
        <Button icon={Play} onClick={onRun} title="Ctrl Enter">
          Run
        </Button>
      )}
      {onPublish !== null && (
        <Button icon={Send} onClick={onPublish}>
          Publish
        </Button>
      )}
      {!isReadOnly && may(nameOf(base.row)) && (
        <Button tone="primary" icon={Save} disabled={!isDirty} onClick={onSave}>
          Review and save
        </Button>
      )}
    </div>
  )
}

/** A workflow without nodes. `onTemplates` is null for people who may not change it. */
function NoNodes({ onTemplates }: { onTemplates: (() => void) | null }) {
  return (
    <Empty
      title="No node yet"
      action={
        onTemplates !== null && (
          <Button icon={LayoutTemplate} onClick={onTemplates}>
            Start from a template
          </Button>
        )
      }
    >
      A workflow starts with a trigger and answers with a response.
    </Empty>
  )
}

/** Changes that were not saved, from an earlier visit of this browser. */
function Drafts({ editor }: { editor: Editor }) {
  if (editor.older !== null)
    return (
      <div
        role="status"
        className="flex flex-wrap items-center gap-2 rounded-md border border-line bg-warn-soft px-3 py-2"
      >
        <p className="min-w-0 flex-1">
          This browser has unsaved changes to an earlier revision. Another person has saved the workflow since
          then.
        </p>
        <Button isSmall onClick={() => editor.takeOlder(true)}>
          Load them
        </Button>
        <Button isSmall onClick={() => editor.takeOlder(false)}>
          Drop them
        </Button>
      </div>
    )
  if (!editor.isRestored || !editor.isDirty) return null
  return (
    <div
      role="status"
      className="flex flex-wrap items-center gap-2 rounded-md border border-line bg-accent-soft px-3 py-2"
    >
      <p className="min-w-0 flex-1">Your unsaved changes were restored.</p>
      <Button isSmall onClick={editor.discard}>
        Discard them
      </Button>
    </div>
  )
}
