import { useMutation } from '@tanstack/react-query'
import { useId, useState } from 'react'
import type { Json, JsonObject } from '../../../build/document.ts'
import { client, faultOf, type Input, useMay } from '../../api/client.ts'
import { Button, Labeled, Select, TextArea } from '../../kit/controls.tsx'
import { FaultBox } from '../../kit/page.tsx'
import { Status } from '../../kit/status.tsx'
import { CodeBlock } from '../../kit/text.tsx'
import { isObject } from '../../schema/value.ts'
import type { WorkflowNode } from './definition.ts'
import { ancestorsOf } from './graph.ts'
import { runWords } from './run.ts'
import type { Editor } from './use-editor.ts'

interface NodeOutputProps {
  readonly editor: Editor
  readonly node: WorkflowNode
  readonly outputs: Readonly<Record<string, string>>
}

/** What a node gave in the last run, a run of the node alone, and what stands in its place in trials. */
export function NodeOutput({ editor, node, outputs }: NodeOutputProps) {
  const may = useMay()
  const run = editor.run.nodes.get(node.id)
  const names = Object.entries(outputs)
  return (
    <>
      {run === undefined ? (
        <div className="text-sm text-muted">
          <p>The node has not run yet.{names.length > 0 && ' Its outputs are:'}</p>
          <ul>
            {names.map(([name, type]) => (
              <li key={name}>
                <code>{name === '*' ? 'any name' : name}</code> {type}
              </li>
            ))}
          </ul>
        </div>
      ) : (
        <>
          <p>
            <Status state={run.state}>{runWords(run)}</Status>
            {run.handle !== null && (
              <span className="text-sm text-muted">
                {' '}
                continued at the handle <code>{run.handle}</code>
              </span>
            )}
          </p>
          {run.error !== null && <p className="text-sm break-words text-bad">{run.error}</p>}
          {run.outputs !== undefined && (
            <CodeBlock label={`Outputs of ${node.id}`} text={JSON.stringify(run.outputs, null, 2)} />
          )}
        </>
      )}
      {may('workflows.test_node') && <RunAlone editor={editor} node={node} />}
      {editor.handles(node).length > 0 && <Mock editor={editor} node={node} last={run?.outputs} />}
    </>
  )
}

/** Runs the node with the outputs of the last run for those before it. */
function RunAlone({ editor, node }: { editor: Editor; node: WorkflowNode }) {
  const test = useMutation({
    mutationFn: async () => {
      const context: Record<string, JsonObject> = {}
      for (const id of ancestorsOf(editor.definition, node.id)) {
        const values = editor.run.nodes.get(id)?.outputs
        if (isObject(values)) context[id] = values
      }
      const { type, config, inputs } = node
      const input = { type, config, inputs, context } as unknown as Input<'workflows.test_node'>
      return (await client.call('workflows.test_node', input)).body
    },
  })
  return (
    <div className="flex flex-col gap-2">
      <div>
        <Button isSmall isBusy={test.isPending} onClick={() => test.mutate()}>
          Run this node alone
        </Button>
      </div>
      <div role="status" className="flex flex-col gap-2 empty:hidden">
        {test.error !== null && <FaultBox fault={faultOf(test.error)} />}
        {test.data !== undefined && (
          <>
            <Status state={test.data.error === null ? 'ok' : 'bad'} className="whitespace-normal">
              {test.data.error === null
                ? `${test.data.source}, ${test.data.handle === null ? 'no handle' : `handle ${test.data.handle}`}`
                : `${test.data.error.kind}: ${test.data.error.message}`}
            </Status>
            <CodeBlock label="Outputs" text={JSON.stringify(test.data.outputs, null, 2)} />
          </>
        )}
      </div>
    </div>
  )
}

/** What stands in the place of the node in trials. It lives in this page and is never saved. */
function Mock({ editor, node, last }: { editor: Editor; node: WorkflowNode; last: Json | undefined }) {
  const id = useId()
  const mock = editor.mocks[node.id]
  const [text, setText] = useState<string | null>(null)
  const [fault, setFault] = useState<string | null>(null)
  const set = (next: JsonObject | null): void =>
    editor.setMocks((now) => {
      const { [node.id]: _, ...rest } = now
      return next === null ? rest : { ...rest, [node.id]: next }
    })
  if (mock === undefined)
    return (
      <div>
        <Button isSmall onClick={() => set({ outputs: isObject(last) ? last : {} })}>
          {last === undefined ? 'Mock it in runs' : 'Keep this as a mock'}
        </Button>
      </div>
    )
  const error = isObject(mock['error']) ? String(mock['error']['kind'] ?? '') : ''
  return (
    <section
      aria-label="Mock"
      className="flex flex-col gap-2 rounded-md border border-dashed border-edge p-2"
    >
      <div className="flex items-center justify-between">
        <h4 className="text-sm font-semibold">Mock</h4>
        <Button isSmall tone="quiet" onClick={() => set(null)}>
          Remove
        </Button>
      </div>
      <Labeled id={`${id}outputs`} label="Outputs" error={fault}>
        <TextArea
          id={`${id}outputs`}
          className="field-sizing-content max-h-60 font-mono text-sm"
          aria-invalid={fault !== null || undefined}
          value={text ?? JSON.stringify(mock['outputs'] ?? {}, null, 2)}
          onChange={(event) => {
            setText(event.target.value)
            try {
              const outputs = JSON.parse(event.target.value) as Json
              if (!isObject(outputs)) throw new Error('an object')
              set({ ...mock, outputs })
              setFault(null)
            } catch {
              setFault('Enter a JSON object with the outputs by name.')
            }
          }}
          onBlur={() => fault === null && setText(null)}
        />
      </Labeled>
      <Labeled id={`${id}handle`} label="Handle">
        <Select
          id={`${id}handle`}
          value={error === '' ? String(mock['handle'] ?? '') : ' fails'}
          onChange={(event) => {
            const { handle: _, error: __, ...rest } = mock
            const next = event.target.value
            if (next === ' fails') set({ ...rest, error: { kind: 'timeout' } })
            else set(next === '' ? rest : { ...rest, handle: next })
          }}
        >
          <option value="">the usual handle</option>
          {editor.handles(node).map((handle) => (
            <option key={handle} value={handle}>
              {handle}
            </option>
          ))}
          <option value=" fails">fails with a timeout</option>
        </Select>
      </Labeled>
    </section>
  )
}
