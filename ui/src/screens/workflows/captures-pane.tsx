import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import type { JsonObject, ResourceSchemas } from '../../../build/document.ts'
import { client, faultOf, type Output, operation, useCall, useMay } from '../../api/client.ts'
import { OperationForm } from '../../forms/operation-form.tsx'
import { Button } from '../../kit/controls.tsx'
import { Dialog } from '../../kit/dialog.tsx'
import { Empty, FaultBox, Forbidden, SkeletonRows } from '../../kit/page.tsx'
import { type State, Status } from '../../kit/status.tsx'
import { Time } from '../../kit/text.tsx'
import type { Editor } from './use-editor.ts'

type Capture = Output<'workflows.captures'>['items'][number]

const STATES: Readonly<Record<Capture['state'], State>> = {
  waiting: 'pending',
  captured: 'ok',
  expired: 'off',
  cancelled: 'off',
}
/** Milliseconds between two looks at captures that wait. */
const AGAIN_MS = 3000

interface CapturesPaneProps {
  readonly editor: Editor
  readonly schemas: ResourceSchemas
  /** Takes a request for the next run. */
  readonly onTake: (request: JsonObject) => void
}

/** Captures: the next requests of callers, kept to try the workflow with them. */
export function CapturesPane({ editor, schemas, onTake }: CapturesPaneProps) {
  const may = useMay()
  const [isStarting, setStarting] = useState(false)
  const [isWaiting, setWaiting] = useState(true)
  const query = useCall('workflows.captures', { limit: 20 }, isWaiting ? { again: AGAIN_MS } : {})
  const items = query.data?.items ?? []
  const waits = query.data === undefined || items.some(({ state }) => state === 'waiting')
  if (waits !== isWaiting) setWaiting(waits)
  const row = operation('workflows.start_capture')!
  // Captures are in memory alone, so the server refuses to preview one
  const start = { ...row, options: row.options.filter((option) => option !== 'dry_run') }
  if (!may('workflows.captures'))
    return <Forbidden permission={operation('workflows.captures')!.permission} />
  const button = may('workflows.start_capture') && (
    <Button onClick={() => setStarting(true)}>Start a capture</Button>
  )
  return (
    <div className="flex flex-col gap-3">
      {query.error !== null && <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />}
      {query.data === undefined && query.error === null && <SkeletonRows rows={3} />}
      {query.data !== undefined && items.length === 0 && (
        <Empty title="No capture yet" action={button}>
          A capture stores the next request to a proxy for one hour, without its secrets.
        </Empty>
      )}
      {items.length > 0 && (
        <>
          <ul aria-label="Captures" className="flex flex-col gap-2">
            {items.map((capture) => (
              <Row key={capture.id} capture={capture} onTake={onTake} />
            ))}
          </ul>
          <div>{button}</div>
        </>
      )}
      {isStarting && (
        <Dialog title={start.summary} onClose={() => setStarting(false)} shape="wide">
          <OperationForm
            row={start}
            schemas={schemas}
            start={editor.base.proxies[0] === undefined ? {} : { proxy: editor.base.proxies[0] }}
            onCancel={() => setStarting(false)}
            onDone={() => setStarting(false)}
            showsResult={() => false}
          />
        </Dialog>
      )}
    </div>
  )
}

function Row({ capture, onTake }: { capture: Capture; onTake: (request: JsonObject) => void }) {
  const may = useMay()
  const queries = useQueryClient()
  const { id, state, proxy, captured, count, expires_at, next } = capture
  const take = useMutation({
    mutationFn: async () => (await client.call('workflows.get_capture', { capture: id })).body,
    onSuccess: ({ requests }) => {
      const [first] = requests
      if (first !== undefined) onTake(first.request as unknown as JsonObject)
    },
  })
  const cancel = useMutation({
    mutationFn: async () => (await client.call('workflows.cancel_capture', { capture: id })).body,
    onSuccess: () => queries.invalidateQueries({ queryKey: ['workflows.captures'] }),
  })
  const fault = take.error ?? cancel.error
  return (
    <li className="flex flex-col gap-2 rounded-md border border-line p-2">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <span className="min-w-0">
          <Status state={STATES[state]}>{state}</Status> <code className="break-all">{proxy}</code>{' '}
          <span className="text-sm text-muted">
            {captured} of {count}
            {state === 'waiting' && (
              <>
                , waits until <Time value={expires_at} />
              </>
            )}
          </span>
        </span>
        <span className="flex gap-2">
          {captured > 0 && (
            <Button isSmall isBusy={take.isPending} onClick={() => take.mutate()}>
              Use the request
            </Button>
          )}
          {(state === 'waiting' || captured > 0) && may('workflows.cancel_capture') && (
            <Button isSmall isBusy={cancel.isPending} onClick={() => cancel.mutate()}>
              {state === 'waiting' ? 'Cancel' : 'Delete'}
            </Button>
          )}
        </span>
      </div>
      <p className="text-sm break-words text-muted">{next}</p>
      {fault !== null && <FaultBox fault={faultOf(fault)} />}
    </li>
  )
}
