import { useMutation } from '@tanstack/react-query'
import { Play } from 'lucide-react'
import { type RefObject, useId, useImperativeHandle, useState } from 'react'
import { client, faultOf, type Input, type Output, operation } from '../../api/client.ts'
import { RefInput } from '../../forms/ref-input.tsx'
import { Button, Checkbox, Labeled, TextArea } from '../../kit/controls.tsx'
import { FaultBox } from '../../kit/page.tsx'
import { Status } from '../../kit/status.tsx'
import { CodeBlock } from '../../kit/text.tsx'
import { isObject } from '../../schema/value.ts'
import { ShowAs } from '../../show-as/show-as.tsx'
import { toJson } from './definition.ts'
import { readFixture, summaryOf } from './fixture.ts'
import { mocksFor, runOfTrial, simulatedOf } from './run.ts'
import type { Editor } from './use-editor.ts'
import { RunWaterfall } from './waterfall.tsx'

export interface RunHandle {
  readonly run: () => void
}

interface RunPaneProps {
  readonly editor: Editor
  readonly text: string
  readonly onText: (text: string) => void
  readonly open: (node: string) => void
  readonly handle: RefObject<RunHandle | null>
  /** Leads to the captures and calls of the workflow. */
  readonly onSources: ((part: 'captures' | 'calls') => void) | null
}

/** Runs the document as it stands here, saved or not, with a request that is pasted or taken. Without effects unless it is live. */
export function RunPane({ editor, text, onText, open, handle, onSources }: RunPaneProps) {
  const [hasMocks, setHasMocks] = useState(true)
  const [isLive, setLive] = useState(false)
  const [chosen, setProxy] = useState<string | null>(null)
  const proxy = chosen ?? editor.base.proxies[0] ?? ''
  const id = useId()
  const read = readFixture(text)
  const mocks = mocksFor(editor.mocks, editor.definition)
  const count = Object.keys(mocks).length
  const fixture = 'fault' in read ? {} : read.fixture
  const input = {
    definition: toJson(editor.definition),
    request: fixture,
    ...(hasMocks && count > 0 && { mocks }),
    ...(isLive && { live: true, proxy }),
  }
  const test = useMutation({
    mutationFn: async () =>
      (await client.call('workflows.test', input as unknown as Input<'workflows.test'>)).body,
    onSuccess: (tried) => editor.setRun(runOfTrial(tried)),
  })
  const run = (): void => {
    if (!('fault' in read) && !test.isPending) test.mutate()
  }
  useImperativeHandle(handle, () => ({ run }))
  return (
    <div className="grid grid-cols-1 gap-4 lg:grid-cols-2">
      <form
        className="flex min-w-0 flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault()
          run()
        }}
      >
        <Labeled
          id={`${id}request`}
          label="Request"
          hint={'fault' in read ? '' : summaryOf(read)}
          error={'fault' in read ? read.fault : null}
        >
          <TextArea
            id={`${id}request`}
            rows={6}
            className="field-sizing-content max-h-80 min-h-30 font-mono text-sm"
            placeholder={'{"order": 7, "sku": "TEA-1"}'}
            aria-invalid={'fault' in read || undefined}
            aria-describedby={'fault' in read ? `${id}request-error` : `${id}request-hint`}
            value={text}
            onChange={(event) => onText(event.target.value)}
          />
        </Labeled>
        {onSources !== null && (
          <p className="text-sm text-muted">
            Paste JSON or a curl command, or take the request of{' '}
            <button type="button" className="underline" onClick={() => onSources('captures')}>
              a capture
            </button>{' '}
            or{' '}
            <button type="button" className="underline" onClick={() => onSources('calls')}>
              a recent call
            </button>
            .
          </p>
        )}
        <div>
          <Checkbox
            label="Mocks"
            hint={
              count === 0
                ? 'No node has a mock. Add one in the Out part of a node.'
                : `Used in place of ${Object.keys(mocks).join(', ')}`
            }
            checked={hasMocks}
            onChange={(event) => setHasMocks(event.target.checked)}
          />
          <Checkbox
            label="Live"
            hint="Sends a real request to a published proxy. Nodes call real servers, and the request counts against limits. It needs client and profile."
            checked={isLive}
            onChange={(event) => setLive(event.target.checked)}
          />
          {isLive && (
            <Labeled id={`${id}proxy`} label="Proxy of the live run">
              <RefInput id={`${id}proxy`} resource="proxies" value={proxy} onValue={setProxy} />
            </Labeled>
          )}
        </div>
        <div className="flex items-center justify-between gap-2">
          <ShowAs request={{ operation: operation('workflows.test')!, input, options: {} }} />
          <Button
            type="submit"
            tone={isLive ? 'danger' : 'primary'}
            icon={Play}
            isBusy={test.isPending}
            disabled={'fault' in read}
          >
            {isLive ? 'Run live' : 'Run'}
          </Button>
        </div>
      </form>
      <div role="status" className="flex min-w-0 flex-col gap-3">
        {test.error !== null && <FaultBox fault={faultOf(test.error)} />}
        {test.data !== undefined && test.error === null && (
          <Result editor={editor} tried={test.data} open={open} />
        )}
        {test.data === undefined && test.error === null && (
          <p className="text-muted">
            The answer and the time of each node appear here. A run without effects calls no server: nodes
            that would are mocked or simulated.
          </p>
        )}
      </div>
    </div>
  )
}

function Result({
  editor,
  tried,
  open,
}: {
  editor: Editor
  tried: Output<'workflows.test'>
  open: (node: string) => void
}) {
  const { status, code, reason, body, duration_ms, trace } = tried
  const text = typeof body === 'string' ? body : JSON.stringify(body, null, 2)
  const simulated = simulatedOf(tried)
  return (
    <>
      {simulated.length > 0 && <AskForMocks editor={editor} nodes={simulated} open={open} />}
      <p>
        <Status state={status < 400 ? 'ok' : 'bad'}>{`Answered ${status}`}</Status>
        <span className="text-sm text-muted"> in {duration_ms.toLocaleString('en')} ms</span>
        {code !== null && <code className="ml-2 text-sm">{code}</code>}
      </p>
      {reason !== null && <p className="text-sm break-words text-bad">{reason}</p>}
      <CodeBlock label="Body of the response" text={text ?? 'null'} />
      <RunWaterfall run={editor.run} selection={editor.selection} onPick={open} />
      {trace !== null && trace.logs.length > 0 && (
        <ul aria-label="Messages" className="text-sm">
          {trace.logs.map(({ node, level, message }, index) => (
            <li key={index} className="break-words">
              <span className="text-muted">
                {level}, {node}:
              </span>{' '}
              {message}
            </li>
          ))}
        </ul>
      )}
    </>
  )
}

interface AskForMocksProps {
  readonly editor: Editor
  readonly nodes: readonly string[]
  readonly open: (node: string) => void
}

/** Nodes that called nobody gave nothing, so what comes after them may have failed for that reason alone. */
function AskForMocks({ editor, nodes, open }: AskForMocksProps) {
  const many = nodes.length > 1
  return (
    <section aria-label="Missing mocks" className="flex flex-col gap-2 rounded-md bg-warn-soft p-3">
      <p>
        <Status state="warn">Simulated</Status> A run without effects calls no server, so{' '}
        <code>{nodes.join(', ')}</code> gave empty outputs. Give {many ? 'each' : 'it'} a mock with the
        response that the workflow expects, or run it live.
      </p>
      <div className="flex flex-wrap gap-2">
        {nodes.map((node) => (
          <Button
            key={node}
            isSmall
            onClick={() => {
              const last = editor.run.nodes.get(node)?.outputs
              editor.setMocks((now) => ({ [node]: { outputs: isObject(last) ? last : {} }, ...now }))
              open(node)
            }}
          >
            Mock {node}
          </Button>
        ))}
      </div>
    </section>
  )
}
