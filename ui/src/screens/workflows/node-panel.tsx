import { useId, useMemo, useRef, useState } from 'react'
import type { Json, JsonObject, ResourceSchemas } from '../../../build/document.ts'
import { SchemaForm } from '../../forms/schema-form.tsx'
import { useNarrow } from '../../kit/browser.ts'
import { Labeled, TextInput } from '../../kit/controls.tsx'
import { Dialog } from '../../kit/dialog.tsx'
import { Status } from '../../kit/status.tsx'
import { classes } from '../../kit/style.ts'
import { type Field, fieldsOf } from '../../schema/fields.ts'
import { isObject } from '../../schema/value.ts'
import { idFault, nodeOf, renameNode, updateNode, type WorkflowNode } from './definition.ts'
import { type Known, pathTo, type Steps } from './expression.ts'
import { fieldErrors } from './findings.ts'
import { ancestorsOf, orderOf, wordsOf } from './graph.ts'
import { InputsForm } from './inputs-form.tsx'
import { NodeOutput } from './node-output.tsx'
import { type Editor, findingsAt } from './use-editor.ts'
import { leavesOf, ValueTree } from './value-tree.tsx'

interface NodePanelProps {
  readonly editor: Editor
  readonly id: string
  readonly schemas: ResourceSchemas
  readonly onClose: () => void
  readonly onRenamed: (id: string) => void
}

const PARTS = [
  { part: 'in', label: 'In' },
  { part: 'config', label: 'Config' },
  { part: 'out', label: 'Out' },
] as const

/** One node: what it can read, its settings and inputs, and what it gave in the last run. */
export function NodePanel({ editor, id, schemas, onClose, onRenamed }: NodePanelProps) {
  const { definition, kinds, run } = editor
  const isNarrow = useNarrow()
  const [part, setPart] = useState<(typeof PARTS)[number]['part']>('config')
  const target = useRef<HTMLTextAreaElement | null>(null)
  const node = nodeOf(definition, id)
  const known = useMemo((): readonly Known[] => {
    const before = ancestorsOf(definition, id)
    return orderOf(definition)
      .filter((one) => before.has(one.id))
      .map((one) => ({
        id: one.id,
        outputs: kinds.find(({ type }) => type === one.type)?.outputs ?? {},
        values: run.nodes.get(one.id)?.outputs,
      }))
  }, [definition, kinds, run, id])
  if (node === undefined) return null
  const kind = kinds.find(({ type }) => type === node.type)
  const insert = (from: string, steps: Steps): void => {
    const input = target.current
    if (input === null || !input.isConnected) return
    const before = input.value.slice(0, input.selectionStart)
    const isInside = before.lastIndexOf('{{') > before.lastIndexOf('}}')
    const path = pathTo(from, steps)
    const { selectionStart: start, selectionEnd: end } = input
    input.setRangeText(isInside ? path : `{{ ${path} }}`, start, end, 'end')
    input.dispatchEvent(new Event('input', { bubbles: true }))
    input.focus()
    setPart('config')
  }
  const close = (): void => {
    editor.seal()
    onClose()
  }
  return (
    <Dialog title={`${node.id}: ${wordsOf(node.type)}`} onClose={close} shape="full">
      {isNarrow && (
        <div role="tablist" aria-label="Parts of the node" className="mb-3 flex gap-4 border-b border-line">
          {PARTS.map((one) => (
            <button
              key={one.part}
              type="button"
              role="tab"
              aria-selected={part === one.part}
              className={classes(
                '-mb-px h-9 border-b-2 px-1',
                part === one.part ? 'border-accent font-medium' : 'border-transparent text-muted',
              )}
              onClick={() => setPart(one.part)}
            >
              {one.label}
            </button>
          ))}
        </div>
      )}
      <div className="grid grid-cols-1 gap-6 sm:grid-cols-[220px_minmax(0,1fr)_280px]">
        <section aria-label="In" hidden={isNarrow && part !== 'in'} className="flex min-w-0 flex-col gap-3">
          {!isNarrow && <h3 className="font-semibold">In</h3>}
          <In editor={editor} known={known} onPick={editor.isReadOnly ? null : insert} />
        </section>
        <section
          aria-label="Config"
          hidden={isNarrow && part !== 'config'}
          className="flex min-w-0 flex-col gap-4 sm:border-x sm:border-line sm:px-6"
        >
          {!isNarrow && <h3 className="font-semibold">Config</h3>}
          <Findings editor={editor} id={id} />
          <Id editor={editor} node={node} onRenamed={onRenamed} />
          {kind !== undefined && <p className="text-sm text-muted">{kind.summary}.</p>}
          <Config editor={editor} node={node} schema={kind?.config as JsonObject | undefined} />
          <section aria-label="Inputs" className="flex flex-col gap-2">
            <h4 className="text-sm font-semibold text-muted">Inputs, computed in each run</h4>
            <InputsForm
              types={kind?.inputs ?? {}}
              value={node.inputs}
              known={known}
              errors={fieldErrors(editor.judged.findings, editor.judged.definition, id)}
              isReadOnly={editor.isReadOnly}
              onChange={(inputs, name) =>
                editor.edit((now) => updateNode(now, id, { inputs }), `${id}/inputs/${name}`)
              }
              onSeal={editor.seal}
              onFocus={(input) => {
                target.current = input
              }}
            />
          </section>
          <Failure editor={editor} node={node} schemas={schemas} />
        </section>
        <section aria-label="Out" hidden={isNarrow && part !== 'out'} className="flex min-w-0 flex-col gap-3">
          {!isNarrow && <h3 className="font-semibold">Out</h3>}
          <NodeOutput editor={editor} node={node} outputs={kind?.outputs ?? {}} />
        </section>
      </div>
    </Dialog>
  )
}

function In({
  editor,
  known,
  onPick,
}: {
  editor: Editor
  known: readonly Known[]
  onPick: ((node: string, steps: Steps) => void) | null
}) {
  if (known.length === 0) return <p className="text-sm text-muted">No node runs before this one.</p>
  const hasValues = known.some(({ values }) => values !== undefined)
  return (
    <>
      <p className="text-sm text-muted">
        {hasValues ? 'Values of the last run.' : 'Run the workflow to see values.'}
        {onPick !== null && ' A value inserts its path into the input that you edited last.'}
      </p>
      {known.map(({ id, outputs, values }) => (
        <details key={id} open={known.length <= 3 || id === known.at(-1)!.id}>
          <summary className="min-h-6 py-0.5 font-medium">
            {id}
            {editor.run.nodes.get(id)?.state === 'bad' && <Status state="bad">failed</Status>}
          </summary>
          <ValueTree
            node={id}
            leaves={leavesOf(values, outputs)}
            onPick={onPick === null ? null : (steps) => onPick(id, steps)}
          />
        </details>
      ))}
    </>
  )
}

function Findings({ editor, id }: { editor: Editor; id: string }) {
  const findings = findingsAt(editor, id)
  if (findings.length === 0) return null
  return (
    <ul aria-label="Problems of this node" className="flex flex-col gap-1">
      {findings.map(({ code, severity, pointer, message }) => (
        <li key={code + pointer + message}>
          <Status state={severity === 'error' ? 'bad' : 'warn'} className="whitespace-normal">
            {message}
          </Status>{' '}
          <code className="text-sm text-muted">{code}</code>
        </li>
      ))}
    </ul>
  )
}

/** The id takes effect once it is complete: expressions of other nodes follow it. */
function Id({
  editor,
  node,
  onRenamed,
}: {
  editor: Editor
  node: WorkflowNode
  onRenamed: (id: string) => void
}) {
  const [text, setText] = useState<string | null>(null)
  const id = useId()
  const fault = text === null ? null : idFault(editor.definition, node.id, text)
  const apply = (): void => {
    if (text !== null && fault === null && text !== node.id) {
      editor.edit((now) => renameNode(now, node.id, text))
      onRenamed(text)
    }
    if (fault === null) setText(null)
  }
  return (
    <Labeled
      id={id}
      label="Id"
      hint="Edges and expressions use this id. If you change it, they are updated."
      error={fault}
    >
      <TextInput
        id={id}
        className="max-w-80 font-mono"
        disabled={editor.isReadOnly}
        value={text ?? node.id}
        aria-invalid={fault !== null || undefined}
        aria-describedby={`${id}-hint`}
        onChange={(event) => setText(event.target.value)}
        onBlur={apply}
        onKeyDown={(event) => event.key === 'Enter' && apply()}
      />
    </Labeled>
  )
}

interface SettingsProps {
  readonly editor: Editor
  readonly node: WorkflowNode
}

/** The settings of the type of node, by its JSON Schema. */
function Config({ editor, node, schema }: SettingsProps & { schema: JsonObject | undefined }) {
  const $defs = (schema?.['$defs'] ?? {}) as Readonly<Record<string, JsonObject>>
  const all = useMemo(() => {
    if (schema === undefined) return null
    const whole = fieldsOf(
      { type: 'object', properties: { config: schema }, required: ['config'] },
      $defs,
    )[0]!
    // Members of a plain object stand by themselves; kinds of settings need the choice around them
    return whole.kind === 'group'
      ? { fields: whole.fields, isWrapped: false }
      : { fields: [{ ...whole, label: 'Settings' } as Field], isWrapped: true }
  }, [schema])
  const errors = fieldErrors(editor.judged.findings, editor.judged.definition, node.id)
  if (all === null || (!all.isWrapped && all.fields.length === 0)) return null
  if (all.isWrapped && all.fields[0]!.kind === 'json' && isEmptyObject(schema)) return null
  const own = Object.fromEntries(
    Object.entries(errors).flatMap(([pointer, message]) =>
      pointer.startsWith('/config')
        ? [[all.isWrapped ? pointer : pointer.slice('/config'.length), message]]
        : [],
    ),
  )
  const set = (config: Json | undefined): void =>
    editor.edit(
      (now) => updateNode(now, node.id, { config: isObject(config) ? config : {} }),
      `${node.id}/config`,
    )
  return (
    <section aria-label="Settings" className="flex flex-col gap-2" onBlur={editor.seal}>
      <h4 className="text-sm font-semibold text-muted">Settings, the same in every run</h4>
      <SchemaForm
        fields={all.fields}
        value={all.isWrapped ? { config: node.config } : node.config}
        errors={own}
        isReadOnly={editor.isReadOnly}
        onChange={(next) => set(all.isWrapped ? next['config'] : next)}
      />
    </section>
  )
}

/** A type of node without settings. */
function isEmptyObject(schema: JsonObject | undefined): boolean {
  return schema?.['type'] === 'object' && Object.keys((schema['properties'] ?? {}) as JsonObject).length === 0
}

const FAILURE = ['timeout', 'retry', 'on_error', 'fallback']

/** What happens if the node takes too long or fails. */
function Failure({ editor, node, schemas }: SettingsProps & { schemas: ResourceSchemas }) {
  const fields = useMemo(() => nodeFields(schemas).filter(({ name }) => FAILURE.includes(name)), [schemas])
  if (fields.length === 0) return null
  const value = Object.fromEntries(
    FAILURE.flatMap((name) => {
      const member = (node as unknown as JsonObject)[name]
      return member === undefined ? [] : [[name, member]]
    }),
  )
  const isSet = node.timeout !== undefined || node.retry !== undefined || node.on_error !== 'fail'
  const errors = fieldErrors(editor.judged.findings, editor.judged.definition, node.id)
  return (
    <details open={isSet} onBlur={editor.seal}>
      <summary className="min-h-6 text-sm font-semibold text-muted">Timeout, retry and failure</summary>
      <div className="pt-2">
        <SchemaForm
          fields={fields}
          value={value}
          errors={errors}
          isReadOnly={editor.isReadOnly}
          onChange={(next) => {
            const given = next as { readonly [K in keyof WorkflowNode]?: WorkflowNode[K] }
            editor.edit(
              (now) =>
                updateNode(now, node.id, {
                  timeout: given.timeout,
                  retry: given.retry,
                  fallback: given.fallback,
                  on_error: given.on_error ?? 'fail',
                }),
              `${node.id}/failure`,
            )
          }}
        />
      </div>
    </details>
  )
}

/** Fields of a node, out of the schema of a workflow. */
function nodeFields({ actions, $defs }: ResourceSchemas): readonly Field[] {
  const shape = actions['create']?.input
  if (shape === undefined) return []
  const definition = fieldsOf(shape, $defs).find(({ name }) => name === 'definition')
  if (definition?.kind !== 'group') return []
  const nodes = definition.fields.find(({ name }) => name === 'nodes')
  return nodes?.kind === 'list' && nodes.item.kind === 'group' ? nodes.item.fields : []
}
