import { useMutation } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import type { JsonObject } from '../../../build/document.ts'
import { client, faultOf, type Output, operation, useCall, useMay } from '../../api/client.ts'
import { Button, Select } from '../../kit/controls.tsx'
import { Empty, FaultBox, Forbidden, SkeletonRows } from '../../kit/page.tsx'
import { Status } from '../../kit/status.tsx'
import { Time } from '../../kit/text.tsx'
import { fixtureOfRecord } from './fixture.ts'
import { runOfTrace } from './run.ts'
import type { Editor } from './use-editor.ts'
import { RunWaterfall } from './waterfall.tsx'

const SHOWN = 20

interface CallsPaneProps {
  readonly editor: Editor
  readonly open: (node: string) => void
  readonly onTake: (request: JsonObject) => void
}

/** Recent calls of a proxy that runs the workflow, and the trace of one of them. */
export function CallsPane({ editor, open, onTake }: CallsPaneProps) {
  const { proxies } = editor.base
  const may = useMay()
  const [proxy, setProxy] = useState(proxies[0] ?? '')
  const query = useCall('records.list', { proxy, limit: SHOWN }, { enabled: proxy !== '' })
  const [shown, setShown] = useState<string | null>(null)
  const trace = useMutation({
    mutationFn: async (id: string) => (await client.call('records.get', { id })).body,
    onSuccess: ({ workflow_trace }, id) => {
      if (workflow_trace !== null) editor.setRun(runOfTrace(workflow_trace))
      setShown(id)
    },
  })
  if (!may('records.list')) return <Forbidden permission={operation('records.list')!.permission} />
  if (proxies.length === 0)
    return (
      <Empty title="No proxy runs this workflow">
        Under Publish, set the workflow of a proxy. The calls of the proxy appear here.
      </Empty>
    )
  const items = query.data?.items ?? []
  return (
    <div className="grid grid-cols-1 gap-4 lg:grid-cols-2">
      <div className="flex min-w-0 flex-col gap-2">
        {proxies.length > 1 && (
          <Select aria-label="Proxy" value={proxy} onChange={(event) => setProxy(event.target.value)}>
            {proxies.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </Select>
        )}
        {query.error !== null && <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />}
        {query.data === undefined && query.error === null && <SkeletonRows rows={6} />}
        {query.data !== undefined && items.length === 0 && <Empty title="No call yet" />}
        <ul aria-label="Recent calls">
          {items.map((record) => (
            <li
              key={record.id}
              className="flex flex-wrap items-center justify-between gap-2 border-t border-line py-1"
            >
              <span className="min-w-0">
                <Status state={isFine(record) ? 'ok' : 'bad'}>{String(record.status ?? 'no answer')}</Status>{' '}
                <span className="break-all">
                  {record.method} {record.path}
                </span>{' '}
                <span className="text-sm text-muted">
                  <Time value={record.time} />
                </span>
              </span>
              <span className="flex gap-2">
                <Button
                  isSmall
                  isBusy={trace.isPending && trace.variables === record.id}
                  onClick={() => trace.mutate(record.id)}
                >
                  Show the trace
                </Button>
                <Button isSmall onClick={() => onTake(fixtureOfRecord(record))}>
                  Use the request
                </Button>
              </span>
            </li>
          ))}
        </ul>
        <p className="text-sm text-muted">Records do not store headers and bodies. A capture stores both.</p>
      </div>
      <div role="status" className="flex min-w-0 flex-col gap-2">
        {trace.error !== null && <FaultBox fault={faultOf(trace.error)} />}
        {shown !== null && trace.data !== undefined && (
          <>
            <p>
              Trace of{' '}
              <Link to="/$resource/$id" params={{ resource: 'records', id: shown }} className="underline">
                <code>{shown}</code>
              </Link>
            </p>
            {trace.data.workflow_trace === null ? (
              <p className="text-muted">This call did not run a workflow.</p>
            ) : (
              <RunWaterfall run={editor.run} selection={editor.selection} onPick={open} />
            )}
          </>
        )}
      </div>
    </div>
  )
}

function isFine({ status }: Output<'records.list'>['items'][number]): boolean {
  return status !== null && status < 400
}
